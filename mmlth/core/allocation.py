"""How sparsity is spread over layers. A new way is one function and one dict entry.

Each takes the scores, the sparsity and the floor: the fraction of a layer's weights that
survives in any case (rounded down, but at least one), 0 for none.
"""
import re
from dataclasses import replace
from fractions import Fraction
from functools import partial
from types import MappingProxyType
from typing import Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .compute import budget_of, exact_costs, prune_by_compute
from .errors import UserError
from .selection import Scores, keep_highest

Allocation = Callable[[Scores, float, float], Dict[str, Tensor]]


def prune_global(scores: Scores, sparsity: float, floor: float = 0.0) -> Dict[str, Tensor]:
    """Prune round(sparsity * N) of all N weights, wherever they lie (the paper, 4.3)."""
    check_room(scores.tensors, sparsity, 'global', floor)
    if floor:
        scores = _protect(scores, floor)
    return keep_highest(scores, round(sparsity * scores.numel()))


def prune_layerwise(scores: Scores, sparsity: float, floor: float = 0.0) -> Dict[str, Tensor]:
    """Prune round(sparsity * n) of the n weights of every layer (the paper, Fig. 2e).

    Of a layer of so few weights that this leaves less than the floor, the floor survives.
    """
    least, masks = _floor_counts(scores.tensors, floor), {}
    for name, tensor in scores.tensors.items():
        prune = min(round(sparsity * tensor.numel()), tensor.numel() - least[name])
        masks.update(keep_highest(Scores({name: tensor}, scores.absolute), prune))
    return masks


def prune_erk(scores: Scores, sparsity: float, floor: float = 0.0) -> Dict[str, Tensor]:
    """Prune round(sparsity * N) of all N weights, narrow layers less than wide ones.

    Erdos-Renyi-Kernel (Evci et al. 2020, RigL): the density of a layer is proportional to
    the sum of its dimensions over their product, at most 1; what a full layer cannot take
    goes to the others. No layer gets more survivors than an earlier mask has left it.
    """
    sizes = {n: t.numel() for n, t in scores.tensors.items()}
    survivors = sum(sizes.values()) - round(sparsity * sum(sizes.values()))
    check_room(scores.tensors, sparsity, 'erk', floor)
    least = _floor_counts(scores.tensors, floor)
    # Magnitudes are never -inf.
    most = sizes if scores.absolute else {
        n: int(torch.count_nonzero(t > -torch.inf)) for n, t in scores.tensors.items()}
    if survivors > sum(most.values()):
        most = sizes    # as the other allocations: draw() refuses what brings weights back
    counts = _apportion(
        survivors, shares=[max(1, sum(t.shape)) for t in scores.tensors.values()],
        least=[min(least[n], most[n]) for n in sizes], most=list(most.values()))
    masks = {}
    for (name, tensor), count in zip(scores.tensors.items(), counts):
        masks.update(keep_highest(Scores({name: tensor}, scores.absolute), sizes[name] - count))
    return masks


def prune_compute(scores: Scores, sparsity: float, floor: float = 0.0) -> Dict[str, Tensor]:
    """Prune ``sparsity`` of the multiply-adds, not of the weights, the cheapest loss first.

    See :func:`~mmlth.core.compute.prune_by_compute`. The scores need their costs.
    """
    check_room(scores.tensors, sparsity, 'compute', floor, scores.costs)
    return prune_by_compute(_protect(scores, floor) if floor else scores, sparsity)


def prune_pattern(scores: Scores, sparsity: float, floor: float = 0.0, *,
                  pattern: Tuple[int, int]) -> Dict[str, Tensor]:
    """Keep the N highest of every M consecutive input channels, of equal ones the last.

    Sparse tensor cores take 2:4 (Mishra et al. 2021). A layer named by
    :func:`unpatterned` stays whole, so the total sparsity may be less than 1 - N/M.
    What an earlier mask has pruned stays pruned: its groups may keep fewer than N.

    Args:
        scores: The scores.
        sparsity: 1 - N/M, see :func:`check_allocation`.
        floor: At most N/M, so it holds by itself.
        pattern: (N, M).
    """
    masks = {}
    for name, tensor in scores.tensors.items():
        values = tensor.detach().float()    # compared as keep_highest compares
        if scores.absolute:
            values = values.abs()
        keep = values > -torch.inf
        dim = _group_dim(tensor, pattern[1], name in scores.transposed)
        if dim is not None:
            keep &= _highest_of_groups(values, dim, *pattern)
        masks[name] = keep.contiguous()
    return masks


def unpatterned(tensors: Mapping[str, Tensor], allocation: str,
                transposed: FrozenSet[str] = frozenset()) -> List[str]:
    """The layers that an N:M allocation leaves whole; none for another allocation.

    They have no input dimension (1-D) or one that is no multiple of M.

    Args:
        tensors: Weights or masks, by parameter name.
        allocation: ``'global'``, ``'2:4'``, ...
        transposed: The weights of transposed convolutions. Default: none.
    """
    pattern = _parse(allocation)
    return [] if pattern is None else [
        name for name, tensor in tensors.items()
        if _group_dim(tensor, pattern[1], name in transposed) is None]


def find_allocation(name: str) -> Allocation:
    """The allocation of that name: a key of ``ALLOCATIONS``, or N:M with 0 < N < M.

    Raises:
        UserError: There is none.
    """
    pattern = _parse(name)
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
    pattern = _parse(name)
    if pattern is None:
        return
    fixed = 1 - pattern[0] / pattern[1]
    if abs(sparsity - fixed) > 1e-9:
        raise UserError(f'allocation {name!r} fixes the sparsity of every round: write '
                        f'sparsity={fixed:.10g} and rounds=1, got sparsity={sparsity!r}')
    if iterations != 1:
        raise UserError(f'allocation {name!r} is drawn in one step: write iterations=1, got '
                        f'{iterations!r}')


def check_floor(floor: float, sparsity: float) -> None:
    """Raise a UserError unless the floor leaves enough to prune."""
    if not 0 <= floor <= 1 - sparsity + 1e-9:     # 1 - 0.9 is a little less than 0.1
        raise UserError(
            f'floor must be the fraction of each layer that survives, from 0 to the density '
            f'{1 - sparsity:.4g} that sparsity {sparsity:.4g} leaves, got {floor!r}')


def check_room(tensors: Mapping[str, Tensor], sparsity: float, allocation: str,
               floor: float, costs: Mapping[str, float] = MappingProxyType({})) -> None:
    """Raise a UserError if the floors of all layers are more than survives of their sum.

    Of a small layer one weight is more than the floor says, and many small layers add up.
    Layer by layer there is always room.

    Args:
        tensors: Weights or scores in scope, by parameter name.
        sparsity: Of all of them, or of their multiply-adds.
        allocation: Its name.
        floor: Fraction of each layer's weights that is to survive.
        costs: Multiply-adds of one weight of each layer, for ``'compute'``. Default: none.
    """
    counts = _floor_counts(tensors, floor)
    if allocation == 'compute':
        exact = exact_costs(tensors, costs)
        kept = sum(exact[name] * count for name, count in counts.items())
        survive = budget_of(tensors, exact, 1.0) - budget_of(tensors, exact, sparsity)
        if kept > survive:
            raise UserError(
                f'a floor of {floor} keeps {float(kept):,.0f} multiply-adds of {len(counts)} '
                f'layers, but only {float(survive):,.0f} may survive; lower the floor')
    total = sum(tensor.numel() for tensor in tensors.values())
    survivors = total - round(sparsity * total)
    if allocation in _SPREAD and sum(counts.values()) > survivors:
        raise UserError(
            f'a floor of {floor} keeps {sum(counts.values())} weights of {len(counts)} layers, '
            f'but only {survivors} may survive; lower the floor')


def _floor_counts(tensors: Mapping[str, Tensor], floor: float) -> Dict[str, int]:
    """How many weights of each layer the floor keeps; of an empty one, or by no floor, 0."""
    return {name: max(1, int(floor * tensor.numel())) if floor and tensor.numel() else 0
            for name, tensor in tensors.items()}


def _protect(scores: Scores, floor: float) -> Scores:
    """The scores with +inf for the best of every layer, as many as the floor says."""
    counts = _floor_counts(scores.tensors, floor)
    protected = {}
    for name, tensor in scores.tensors.items():
        best = keep_highest(Scores({name: tensor}, scores.absolute),
                            tensor.numel() - counts[name])
        own = tensor.detach()
        if not scores.copied:   # a second copy would take 4 bytes per weight more
            own = own.abs() if scores.absolute else own.clone()
        # What an earlier round has pruned stays pruned.
        protected[name] = own.masked_fill_(best[name] & (own > -torch.inf), torch.inf)
    return replace(scores, tensors=protected, absolute=False, copied=True)


def _apportion(total: int, shares: Sequence[int], least: Sequence[int],
               most: Sequence[int]) -> List[int]:
    """Whole numbers between ``least`` and ``most``, in proportion to the shares.

    They sum to ``total`` exactly; what rounding leaves over goes to the largest remainders.
    """
    def at(level: Fraction) -> List[Fraction]:
        return [min(max(level * s, low), high) for s, low, high in zip(shares, least, most)]

    # The sum is linear in the level between the points where a layer meets a bound.
    levels = sorted({Fraction(0), *map(Fraction, least, shares), *map(Fraction, most, shares)})
    first, last = 0, len(levels) - 1
    while first < last:     # the first level at which the sum reaches the total
        middle = (first + last) // 2
        if sum(at(levels[middle])) < total:
            first = middle + 1
        else:
            last = middle
    above, below = at(levels[first]), at(levels[max(0, first - 1)])
    rise = sum(above) - sum(below)
    part = Fraction(total - sum(below)) / rise if rise else 0
    exact = [b + part * (a - b) for a, b in zip(above, below)]
    counts = [int(value) for value in exact]
    order = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in order[:total - sum(counts)]:
        counts[i] += 1
    return counts


def _parse(name: str) -> Optional[Tuple[int, int]]:
    """(N, M) of an N:M pattern."""
    match = re.fullmatch(r'(\d+):(\d+)', str(name))
    pattern = match and (int(match[1]), int(match[2]))
    return pattern if pattern and 0 < pattern[0] < pattern[1] else None


def _group_dim(tensor: Tensor, size: int, transposed: bool) -> Optional[int]:
    """The dimension of input channels; None if they do not fall into groups of ``size``."""
    dim = 0 if transposed else 1    # (in, out / groups, ...), else (out, in / groups, ...)
    return dim if tensor.dim() > 1 and tensor.shape[dim] % size == 0 else None


def _highest_of_groups(values: Tensor, dim: int, count: int, size: int) -> Tensor:
    groups = values.movedim(dim, -1)
    groups = groups.unflatten(-1, (groups.shape[-1] // size, size))
    lowest = groups.sort(dim=-1, stable=True).indices[..., :size - count]
    keep = torch.ones_like(groups, dtype=torch.bool).scatter_(-1, lowest, False)
    return keep.flatten(-2).movedim(-1, dim)


ALLOCATIONS: Dict[str, Allocation] = {
    'global': prune_global,
    'layerwise': prune_layerwise,
    'erk': prune_erk,
    'compute': prune_compute,
}
# Those that spread one total over all layers: what one layer keeps, others must give.
_SPREAD = frozenset({'global', 'erk'})
