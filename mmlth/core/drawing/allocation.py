"""How sparsity is spread over layers. A new way is one function and one dict entry.

Each takes the scores, the sparsity and the floor: the fraction of a layer's weights that
survives in any case (rounded down, but at least one), 0 for none.
"""
from functools import partial
from types import MappingProxyType
from typing import Callable, Dict, Mapping

from torch import Tensor

from ..errors import UserError
from . import floor as floors
from .compute import check_compute_room, prune_compute
from .erk import prune_erk
from .floor import floor_counts, protect
from .pattern import parse, prune_pattern
from .score import Scores
from .selection import keep_highest

Allocation = Callable[[Scores, float, float], Dict[str, Tensor]]


def prune_global(scores: Scores, sparsity: float, floor: float = 0.0) -> Dict[str, Tensor]:
    """Prune round(sparsity * N) of all N weights, wherever they lie (the paper, 4.3)."""
    floors.check_room(scores.tensors, sparsity, floor)
    if floor:
        scores = protect(scores, floor)
    return keep_highest(scores, round(sparsity * scores.numel()))


def prune_layerwise(scores: Scores, sparsity: float, floor: float = 0.0) -> Dict[str, Tensor]:
    """Prune round(sparsity * n) of the n weights of every layer (the paper, Fig. 2e).

    Of a layer of so few weights that this leaves less than the floor, the floor survives.
    """
    least, masks = floor_counts(scores.tensors, floor), {}
    for name, tensor in scores.tensors.items():
        prune = min(round(sparsity * tensor.numel()), tensor.numel() - least[name])
        masks.update(keep_highest(Scores({name: tensor}, scores.absolute), prune))
    return masks


def find_allocation(name: str) -> Allocation:
    """The allocation of that name: a key of ``ALLOCATIONS``, or N:M with 0 < N < M.

    Raises:
        UserError: There is none.
    """
    pattern = parse(name)
    if pattern is not None:
        return partial(prune_pattern, pattern=pattern)
    if str(name) not in ALLOCATIONS:
        raise UserError(f'unknown allocation {name!r}, expected one of: '
                        f'{", ".join(ALLOCATIONS)}, or N:M with N < M such as 2:4')
    return ALLOCATIONS[str(name)]


def check_allocation(name: str, sparsity: float, iterations: int = 1,
                     score: str = 'magnitude') -> None:
    """Raise a UserError unless there is that allocation and it fits the other settings."""
    find_allocation(name)
    if name == 'compute' and score != 'magnitude':
        raise UserError("allocation 'compute' weighs squared magnitudes against multiply-adds: "
                        f"write score='magnitude', or take another allocation, got {score!r}")
    pattern = parse(name)
    if pattern is None:
        return
    fixed = 1 - pattern[0] / pattern[1]
    if abs(sparsity - fixed) > 1e-9:
        raise UserError(f'allocation {name!r} fixes the sparsity of every round: write '
                        f'sparsity={fixed:.10g} and rounds=1, got sparsity={sparsity!r}')
    if iterations != 1:
        raise UserError(f'allocation {name!r} is drawn in one step: write iterations=1, got '
                        f'{iterations!r}')


def check_room(tensors: Mapping[str, Tensor], sparsity: float, allocation: str,
               floor: float, costs: Mapping[str, float] = MappingProxyType({})) -> None:
    """Raise a UserError if the floors of all layers are more than may survive of their sum.

    Layer by layer there is always room.

    Args:
        tensors: Weights or scores in scope, by parameter name.
        sparsity: Of all of them, or of their multiply-adds.
        allocation: Its name.
        floor: Fraction of each layer's weights that is to survive.
        costs: Multiply-adds of one weight of each layer, for ``'compute'``. Default: none.
    """
    if allocation == 'compute':
        check_compute_room(tensors, sparsity, floor, costs)
    elif allocation in _SPREAD:
        floors.check_room(tensors, sparsity, floor)


ALLOCATIONS: Dict[str, Allocation] = {
    'global': prune_global,
    'layerwise': prune_layerwise,
    'erk': prune_erk,
    'compute': prune_compute,
}
# Those that spread one total over all layers: what one layer keeps, others must give.
_SPREAD = frozenset({'global', 'erk'})
