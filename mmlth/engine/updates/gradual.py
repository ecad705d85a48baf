"""Gradual pruning: from dense weights to the ticket's sparsity within one training."""
from typing import TYPE_CHECKING, Any, Dict, Tuple

from mmlth.core import Drawing
from mmlth.core.errors import UserError
from mmlth.core.mask import Mask
from mmlth.core.updates import cubic_sparsity
from mmlth.registry import UPDATES

from ..methods import allocation_of, score_of
from .base import MaskUpdate, Moment

if TYPE_CHECKING:
    from ..specs import PruneSpec


@UPDATES.register_module(name='gradual')
class Gradual(MaskUpdate):
    """Prune the smallest weights step by step (Zhu & Gupta 2017, "To prune, or not to prune").

    The training begins dense. At each update the mask is drawn anew of the weights as they are;
    what is pruned stays pruned. Its sparsity rises as the cube of the paper's equation 1.

    Args:
        sparsity: At the end, in [0, 1). A PruneHook gives it, and the settings below, its own.
            Default: 0.8.
        score: As in a PruneHook, but not one that looks at batches. Default: ``'magnitude'``.
        allocation: As in a PruneHook, but no pattern and not by multiply-adds.
            Default: ``'global'``; the paper has ``'layerwise'``.
        floor: As in a PruneHook. Default: 0.
        **when: See :class:`MaskUpdate`.
    """
    words = 'gradual pruning from all weights on (Zhu & Gupta 2017)'
    label = 'gradual pruning'
    begins_dense = True

    def __init__(self, sparsity: float = 0.8, score: Any = 'magnitude',
                 allocation: Any = 'global', floor: float = 0.0, **when: Any):
        super().__init__(**when)
        self.drawing = Drawing(score_of(score), allocation_of(allocation), floor)
        self.drawing.check(sparsity)
        self.last_sparsity = sparsity

    def check(self, prune: 'PruneSpec') -> None:
        """As for any update; and it must be possible to draw again and again."""
        super().check(prune)
        score, allocation = prune.drawing.score, prune.drawing.allocation
        if score.probed or allocation.needs_macs:
            raise UserError(
                'PruneHook: gradual pruning draws at every update of the weights alone, which '
                f'score={score.name!r}, allocation={allocation.name!r} does not: take the score '
                "'magnitude' and 'global', 'layerwise' or 'erk'")

    def arguments(self, prune: 'PruneSpec') -> Dict[str, Any]:
        """What is drawn, and how."""
        return dict(prune.methods, sparsity=prune.sparsities[-1], floor=prune.drawing.floor)

    def target(self, iteration: int, times: Tuple[int, ...]) -> Dict[str, Any]:
        """By the paper's schedule, which begins and ends with the updates."""
        progress = (iteration - times[0]) / (times[-1] - times[0])
        return dict(sparsity=cubic_sparsity(self.last_sparsity, progress),
                    exact=self.drawing.allocation.exact, floor=self.drawing.floor)

    def mask(self, moment: Moment) -> Mask:
        """Draw it anew."""
        target = self.target(moment.iteration, moment.times)['sparsity']
        return self.drawing.draw(moment.weights, target, earlier=moment.mask)
