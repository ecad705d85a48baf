"""Sparse all through the training: every layer drops its smallest weights and grows others."""
from typing import Any, Mapping, Optional

from torch import Tensor

from mmlth.core.errors import UserError
from mmlth.core.mask import Mask
from mmlth.core.updates import cosine_fraction, drop_and_grow, random_growth
from mmlth.registry import UPDATES

from .base import MaskUpdate, Moment


class _Dynamic(MaskUpdate):
    """What SET and RigL share; they differ in the weights that grow.

    Layers keep their numbers of weights. The ticket's mask is what the training starts with;
    with ``score='random', allocation='erk'`` the ticket is that of the papers. A layer that is
    frozen, or has no gradient now, keeps its mask.

    Args:
        fraction: Of a layer's weights, how many move in an update at first; falls to 0 at the end
            as half a cosine. Default: 0.3.
        **when: See :class:`MaskUpdate`.
    """
    grows = True

    def __init__(self, fraction: float = 0.3, **when: Any):
        super().__init__(**when)
        if not isinstance(fraction, (int, float)) or not 0 < fraction <= 1:
            raise UserError(f'{self._name}: fraction is that of the weights of a layer that move '
                            f'in an update, above 0 and at most 1, got {fraction!r}')
        self.fraction = fraction

    def growth(self, moment: Moment) -> Mapping[str, Optional[Tensor]]:
        """What each weight is worth to be grown, by its magnitude."""
        raise NotImplementedError

    def mask(self, moment: Moment) -> Mask:
        """Drop the smallest, grow those of the highest :meth:`growth`."""
        growth = {name: None if moment.gradients[name] is None else worth
                  for name, worth in self.growth(moment).items()}
        return drop_and_grow(moment.mask, moment.weights, growth,
                             cosine_fraction(self.fraction, moment.iteration / moment.times[-1]))


@UPDATES.register_module(name='set')
class SET(_Dynamic):
    """Grow at random (Mocanu et al. 2018, "Scalable training of artificial neural networks").

    As in the comparison of Evci et al. 2020: the weights of the smallest magnitude are dropped
    whatever their sign, and the fraction falls.
    """
    words = 'SET, weights move at random (Mocanu et al. 2018)'
    label = 'SET'

    def growth(self, moment: Moment) -> Mapping[str, Tensor]:
        """Random numbers, of the seed and the iteration alone."""
        return random_growth(moment.mask, moment.seed, moment.iteration)


@UPDATES.register_module(name='rigl')
class RigL(_Dynamic):
    """Grow where the gradient is largest (Evci et al. 2020, "Rigging the Lottery").

    An update takes the place of an optimizer step, as in the paper, algorithm 1.
    """
    words = 'RigL, weights move to where gradients are large (Evci et al. 2020)'
    label = 'RigL'
    replaces_step = True

    def growth(self, moment: Moment) -> Mapping[str, Optional[Tensor]]:
        """The gradients of this iteration's batch, or accumulated batches."""
        return moment.gradients
