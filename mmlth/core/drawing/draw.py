"""Draw masks: score, then allocate."""
from dataclasses import dataclass, replace
from typing import Any, List, Mapping, Optional

from torch import Tensor

from .. import mask as masks
from ..errors import UserError
from ..layers import Layers
from ..mask import Mask
from ..probe import Probe, restored
from ..schedule import check_sparsity
from .allocation import Allocation
from .allocations import find_allocation
from .floor import check_floor
from .score import Score, Scores, check_finite
from .scores import find_score


@dataclass(frozen=True)
class Drawing:
    """How masks are drawn.

    Args:
        score: What a weight is worth: a :class:`Score`, a plain function as one, or the name of
            one of ``SCORES``. Default: ``'magnitude'``.
        allocation: How sparsity is spread over layers: an :class:`Allocation`, a plain function
            as one, or the name of one of ``ALLOCATIONS``, or N:M. Default: ``'global'``.
        floor: Fraction of each layer's weights that survives in any case. Default: 0.
        iterations: In how many steps a probed score prunes; after each it is taken anew, of what
            is left (Tanaka et al. 2020; de Jorge et al. 2021). Every step removes the same
            fraction of what is left. Default: None, as the score has it.
        batches: How many batches a probed score looks at. Default: 1.

    Raises:
        UserError: A setting is unknown or no number of its kind.
    """
    # Names and None become what they stand for.
    score: Score = 'magnitude'              # type: ignore[assignment]
    allocation: Allocation = 'global'       # type: ignore[assignment]
    floor: float = 0.0
    iterations: int = None                  # type: ignore[assignment]
    batches: int = 1

    def __post_init__(self) -> None:
        score = find_score(self.score)
        object.__setattr__(self, 'score', score)
        object.__setattr__(self, 'allocation', find_allocation(self.allocation))
        if self.iterations is None:
            object.__setattr__(self, 'iterations', score.iterations)
        _check_whole('iterations must be a whole number', self.iterations)
        _check_whole('batches must be a whole number of batches', self.batches)

    def check(self, sparsity: float) -> None:
        """Raise a UserError that says what was expected and what came."""
        check_sparsity(sparsity)
        check_floor(self.floor, sparsity)
        self.allocation.check(sparsity, self.score, self.iterations)

    def check_room(self, weights: Mapping[str, Tensor], sparsity: float, layers: Layers) -> None:
        """Raise a UserError if all layers' floors are more than may survive."""
        self.allocation.check_room(weights, sparsity, self.floor,
                                   Scores(weights, layers=layers).costs())

    def draw(self, weights: Mapping[str, Tensor], sparsity: float, *,
             earlier: Optional[Mapping[str, Tensor]] = None, probe: Optional[Probe] = None,
             layers: Optional[Layers] = None) -> Mask:
        """Draw the mask of a ticket.

        Args:
            weights: The trained weights in scope, by parameter name.
            sparsity: Fraction of the weights in scope to remove, in [0, 1), or of their
                multiply-adds, as the allocation has it. It counts what ``earlier`` removed
                already.
            earlier: The mask of the round before: what it pruned stays pruned.
            probe: The model and its batches, for a probed score; ``weights`` are then its live
                parameters. Default: None.
            layers: Of :func:`~mmlth.core.layers.layers_of`: which weights are transposed, and
                their multiply-adds, for allocations that ask for them. Default: nothing is known.

        Raises:
            UserError: A setting is out of its range, a weight is not finite, or a method gives
                what is no score or mask of the weights.
        """
        self.check(sparsity)
        check_finite(weights)
        if earlier and list(earlier) != list(weights):
            raise UserError('the weights in scope are not those of the earlier mask: keep '
                            'scope and frozen the same in all rounds')
        # Other scores would prune the same weights again.
        steps = self.iterations if self.score.probed else 1
        mask, known = earlier, layers or {}
        *inner, last = _targets(sparsity, steps, earlier)
        # The scores may be a copy of the weights: no name holds them after the call.
        for target in inner:
            drawn = self.allocation(self._scores(weights, probe, mask, known), target, self.floor)
            # A layer may have lost more to ``earlier`` than this step asks for.
            mask = {n: m & mask[n] for n, m in drawn.items()} if mask else drawn
        drawn = self.allocation(self._scores(weights, probe, mask, known), last, self.floor)
        _check_shrunk(drawn, mask or {}, sparsity)
        return drawn

    def _scores(self, weights: Mapping[str, Tensor], probe: Optional[Probe],
                mask: Optional[Mapping[str, Tensor]], layers: Layers) -> Scores:
        """The scores under the mask so far, which is lower than all others where it pruned."""
        if mask and self.score.probed:
            with restored(weights):
                masks.apply(mask, weights)
                scores = self.score(weights, probe)
        else:
            scores = self.score(weights, probe)
        scores = replace(scores, layers=layers)
        return scores.below(mask) if mask else scores


def draw(weights: Mapping[str, Tensor], sparsity: float, *,
         earlier: Optional[Mapping[str, Tensor]] = None, probe: Optional[Probe] = None,
         layers: Optional[Layers] = None, iterations: int = 1, **settings: Any) -> Mask:
    """:meth:`Drawing.draw` of ``Drawing(**settings)``, in one step unless they say otherwise."""
    _check_whole('iterations must be a whole number', iterations)
    drawing = Drawing(iterations=iterations, **settings)
    return drawing.draw(weights, sparsity, earlier=earlier, probe=probe, layers=layers)


def _check_whole(expected: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f'{expected}, at least 1, got {value!r}')


def _targets(sparsity: float, iterations: int,
             earlier: Optional[Mapping[str, Tensor]]) -> List[float]:
    """The sparsity after each step: from that of ``earlier`` on, the last as given."""
    start = 1 - masks.pruned(earlier) / max(1, masks.size(earlier)) if earlier else 1.0
    if start <= 1 - sparsity:       # nothing to prune, or an error
        return [sparsity]
    # Densities fall geometrically, as those of rounds do in round_sparsities().
    ratio = (1 - sparsity) / start
    inner = [1 - start * ratio ** (k / iterations) for k in range(1, iterations)]
    return [*inner, sparsity]


def _check_shrunk(mask: Mapping[str, Tensor], earlier: Mapping[str, Tensor],
                  sparsity: float) -> None:
    grown = [n for n, m in earlier.items() if bool((mask[n] & ~m).any())]
    if grown:
        raise UserError(
            f'sparsity {sparsity} is less than the earlier mask has already in '
            f'{grown[0]}: masks can only shrink from round to round')
