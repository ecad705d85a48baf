"""What every mask update is: when it happens, and what it sees."""
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Dict, Mapping, Optional, Tuple

from torch import Tensor

from mmlth.core.errors import UserError
from mmlth.core.mask import Mask
from mmlth.core.steps import rewind_iteration

if TYPE_CHECKING:
    from ..specs import PruneSpec


@dataclass(frozen=True)
class Moment:
    """What an update sees; equal on all ranks.

    Args:
        iteration: Of the training, the one whose optimizer step comes next; the first is 1.
        times: The iterations at which the mask changes; the first is the beginning, which may be
            0, where there is no step; the last is the end.
        mask: The masks that are bound now, on the weights' devices.
        weights: The weights in scope as they train now, in full shape, pruned ones 0.
        gradients: Theirs, pruned ones too, in full shape, all finite; scaled under AMP. None of
            what is frozen or has had no part in the loss.
        seed: Of the training.
    """
    iteration: int
    times: Tuple[int, ...]
    mask: Mask
    weights: Mapping[str, Tensor]
    gradients: Mapping[str, Optional[Tensor]]
    seed: int


class MaskUpdate:
    """How the mask changes while a ticket trains. A new one is a subclass with :meth:`mask`.

    Args:
        interval: Iterations between two updates. Default: 100.
        begin: The first update: ``'600it'``, ``'2ep'`` or ``'5%'`` of the training. There is none
            before the first iteration. Default: ``'0%'``.
        end: The last one, likewise. Default: ``'75%'``, so that what survives is trained on.

    Raises:
        UserError: ``interval`` is no whole number of at least 1, or the two others have no such
            form.
    """
    words = ''                  # as in "The mask changes within the training: WORDS"
    label: ClassVar[Optional[str]] = None       # what analyses call such trainings; None: its name
    grows = False               # weights come back
    begins_dense = False        # the ticket that the training starts with prunes nothing
    replaces_step = False       # where the mask changes, no optimizer step is taken

    def __init__(self, interval: int = 100, begin: str = '0%', end: str = '75%'):
        if not isinstance(interval, int) or isinstance(interval, bool) or interval < 1:
            raise UserError(f'{self._name}: interval must be a number of iterations, at least 1, '
                            f'got {interval!r}')
        self.interval, self.begin, self.end = interval, begin, end
        for key, value in (('begin', begin), ('end', end)):
            rewind_iteration(value, 2**62, 1, f'{self._name}: {key}')

    @property
    def _name(self) -> str:
        return type(self).__name__

    def times(self, max_iters: int, per_epoch: int) -> Tuple[int, ...]:
        """See :class:`Moment`; where an iteration has no optimizer step, the next one's counts.

        Args:
            max_iters: Of the whole training.
            per_epoch: Iterations of an epoch.

        Raises:
            UserError: The end is after that of the training, or not after the beginning.
        """
        begin, end = (
            rewind_iteration(value, max_iters, per_epoch, f'{self._name}: {key}')
            for key, value in (('begin', self.begin), ('end', self.end)))
        if begin >= end:
            raise UserError(f'{self._name}: the updates begin at iteration {begin} '
                            f'({self.begin!r}) and end at {end} ({self.end!r}); let them end '
                            'later')
        return (*range(begin, end, self.interval), end)

    def text(self) -> str:
        """What it does, and when."""
        return (f'{self.words or type(self).__name__}, every {self.interval} iterations from '
                f'{self.begin} to {self.end}')

    def check_steps(self, accumulated: int) -> None:
        """Raise a UserError if no step is left to the optimizer between two updates.

        Args:
            accumulated: Iterations of one step, the optim wrapper's ``accumulative_counts``.
        """
        if self.replaces_step and self.interval < 2 * accumulated:
            raise UserError(
                f'{self._name}: an update takes the place of an optimizer step; with '
                f'interval={self.interval} and a step every {accumulated} iteration(s) none would '
                f'be left to train between two updates: set interval to {2 * accumulated} or more')

    def check_length(self, loop: Mapping[str, Any]) -> None:
        """Raise a UserError as :meth:`times`, as far as a config tells.

        Args:
            loop: Its ``train_cfg``. Iterations are not compared with epochs, whose length depends
                on the data.
        """
        length, unit = ((loop.get('max_epochs'), 'ep') if loop.get('max_epochs')
                        else (loop.get('max_iters'), 'it'))
        given = [f'{value}it' if isinstance(value, int) else value
                 for value in (self.begin, self.end)]
        if length and all(value.strip().endswith((unit, '%')) for value in given):
            # Of an epoch's iterations, so many that no percentage is rounded away.
            inner = 1000 if unit == 'ep' else 1
            self.times(length * inner, inner)

    def check(self, prune: 'PruneSpec') -> None:
        """Raise a UserError for settings of a PruneHook with which this update cannot be right."""
        where = 'PruneHook: the mask changes within one training (update)'
        if prune.rounds > 1:
            raise UserError(f'{where}, which is round 1; got {prune.rounds} rounds: set rounds=1')
        for key in ('control', 'transfer'):
            if getattr(prune, key) is not None:
                raise UserError(f'{where}, so that {key} would not be what is trained: leave '
                                f'{key} or update out')
        if prune.drawing.allocation.fixed is not None:
            raise UserError(f'{where}, which breaks the pattern {prune.drawing.allocation.name}: '
                            'take another allocation, or leave update out')

    def arguments(self, prune: 'PruneSpec') -> Dict[str, Any]:
        """Further arguments of this update, those that are the PruneHook's own settings."""
        return {}

    def target(self, iteration: int, times: Tuple[int, ...]) -> Optional[Dict[str, Any]]:
        """What an update at ``iteration`` must end with, for those who verify it.

        Returns:
            dict or None: ``sparsity``, and ``exact``, where the count is that sparsity's: of the
            ``'scope'``, of each ``'layer'``, or None. None: each layer keeps its count.
        """
        return None

    def mask(self, moment: Moment) -> Mask:
        """The mask from now on; all ranks work it out by themselves."""
        raise NotImplementedError
