"""The allocations that there are. A new one is one function and one entry in ``ALLOCATIONS``."""
from typing import Callable, Dict, Union

from ..errors import UserError
from ..mask import Mask
from .allocation import Allocation, as_allocation
from .compute import prune_compute
from .erk import prune_erk
from .floor import check_room, floor_counts, protect
from .pattern import pattern_of
from .score import Scores
from .selection import keep_highest


def prune_global(scores: Scores, sparsity: float, floor: float = 0.0) -> Mask:
    """Prune round(sparsity * N) of all N weights, wherever they lie (the paper, 4.3)."""
    check_room(scores.tensors, sparsity, floor)
    if floor:
        scores = protect(scores, floor)
    return keep_highest(scores, round(sparsity * scores.numel()))


def prune_layerwise(scores: Scores, sparsity: float, floor: float = 0.0) -> Mask:
    """Prune round(sparsity * n) of the n weights of every layer (the paper, Fig. 2e).

    Of a layer of so few weights that this leaves less than the floor, the floor survives.
    """
    least, masks = floor_counts(scores.tensors, floor), {}
    for name, tensor in scores.tensors.items():
        prune = min(round(sparsity * tensor.numel()), tensor.numel() - least[name])
        masks.update(keep_highest(Scores({name: tensor}, scores.absolute), prune))
    return masks


ALLOCATIONS: Dict[str, Allocation] = {method.name: method for method in (
    Allocation(prune_global, 'global'),
    Allocation(prune_layerwise, 'layerwise', exact='layer', by_shape=True),
    Allocation(prune_erk, 'erk', by_shape=True),
    Allocation(prune_compute, 'compute', exact='macs', needs_macs=True, magnitudes=True))}


def find_allocation(method: Union[str, Callable]) -> Allocation:
    """An allocation by its name, a key of ``ALLOCATIONS`` or N:M with 0 < N < M, or a user's own.

    Raises:
        UserError: There is none.
    """
    if not isinstance(method, str) and callable(method):
        return as_allocation(method)
    found = pattern_of(method) or ALLOCATIONS.get(str(method))
    if found is None:
        raise UserError(f'unknown allocation {method!r}, expected one of: '
                        f'{", ".join(ALLOCATIONS)}, or N:M with N < M such as 2:4')
    return found
