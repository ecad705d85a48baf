"""Draw masks: score, then allocate."""
from dataclasses import replace
from typing import Any, FrozenSet, List, Mapping, Optional

from torch import Tensor

from .. import mask as masks
from ..errors import UserError
from ..mask import Mask
from ..probe import Probe, restored
from ..schedule import check_sparsity
from .allocation import check_allocation, find_allocation
from .floor import check_floor
from .score import Scores, check_finite
from .scores import PROBED, SCORES


def draw(weights: Mapping[str, Tensor], sparsity: float, *, score: str = 'magnitude',
         allocation: str = 'global', floor: float = 0.0,
         earlier: Optional[Mapping[str, Tensor]] = None, probe: Optional[Probe] = None,
         iterations: int = 1, transposed: FrozenSet[str] = frozenset(),
         costs: Optional[Mapping[str, float]] = None) -> Mask:
    """Draw the mask of a ticket: score, then allocate.

    Args:
        weights: The trained weights in scope, by parameter name.
        sparsity: Fraction of the weights in scope to remove, in [0, 1); with the allocation
            ``'compute'`` of their multiply-adds. It counts what ``earlier`` removed already.
        score: A key of ``SCORES``. Default: ``'magnitude'``.
        allocation: A key of ``ALLOCATIONS``, or N:M such as ``'2:4'``. Default: ``'global'``.
        floor: Fraction of each layer's weights that survives in any case. Default: 0.
        earlier: The mask of the round before: what it pruned stays pruned.
        probe: The model and its batches, for a score in ``PROBED``; ``weights`` are then
            its live parameters. Default: None.
        iterations: In how many steps a score in ``PROBED`` prunes; after each it is taken
            anew, of what is left (Tanaka et al. 2020; de Jorge et al. 2021). Every step
            removes the same fraction of what is left. Default: 1.
        transposed: Names of weights of transposed convolutions, which N:M needs to know.
            Default: none.

    Raises:
        UserError: An argument is out of its range, a weight is not finite, or a score needs
            a probe.
    """
    check_settings(sparsity, score, allocation, floor, iterations)
    check_finite(weights)
    if earlier and list(earlier) != list(weights):
        raise UserError('the weights in scope are not those of the earlier mask: keep '
                        'scope and frozen the same in all rounds')
    if score not in PROBED:
        iterations = 1      # the same scores again would prune the same weights
    allocate, mask = find_allocation(allocation), earlier
    *inner, last = _targets(sparsity, iterations, earlier)
    known = dict(transposed=frozenset(transposed), costs=costs or {})
    # The scores may be a copy of the weights: no name holds them after the call.
    for target in inner:
        drawn = allocate(_score(score, weights, probe, mask, known), target, floor)
        # A layer may have lost more to ``earlier`` than this step asks for.
        mask = {n: m & mask[n] for n, m in drawn.items()} if mask else drawn
    drawn = allocate(_score(score, weights, probe, mask, known), last, floor)
    _check_shrunk(drawn, mask or {}, sparsity)
    return drawn


def check_settings(sparsity: float, score: str, allocation: str,
                   floor: float = 0.0, iterations: int = 1) -> None:
    """Raise a UserError that says what was expected and what came."""
    check_sparsity(sparsity)
    check_floor(floor, sparsity)
    if score not in SCORES:
        raise UserError(f'unknown score {score!r}, expected one of: {", ".join(SCORES)}')
    if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1:
        raise UserError(
            f'iterations must be a whole number, at least 1, got {iterations!r}')
    check_allocation(allocation, sparsity, iterations, score)


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


def _score(score: str, weights: Mapping[str, Tensor], probe: Optional[Probe],
           mask: Optional[Mapping[str, Tensor]], known: Mapping[str, Any]) -> Scores:
    """The scores under the mask so far, which is lower than all others where it pruned."""
    if mask and score in PROBED:
        with restored(weights):
            masks.apply(mask, weights)
            scores = SCORES[score](weights, probe)
    else:
        scores = SCORES[score](weights, probe)
    scores = replace(scores, **known)
    return scores.below(mask) if mask else scores


def _check_shrunk(mask: Mapping[str, Tensor], earlier: Mapping[str, Tensor],
                  sparsity: float) -> None:
    grown = [n for n, m in earlier.items() if bool((mask[n] & ~m).any())]
    if grown:
        raise UserError(
            f'sparsity {sparsity} is less than the earlier mask has already in '
            f'{grown[0]}: masks can only shrink from round to round')
