"""Narrow layers pruned less than wide ones."""
from fractions import Fraction
from typing import Dict, List, Sequence

import torch
from torch import Tensor

from .floor import check_room, floor_counts
from .score import Scores
from .selection import keep_highest


def prune_erk(scores: Scores, sparsity: float, floor: float = 0.0) -> Dict[str, Tensor]:
    """Prune round(sparsity * N) of all N weights, narrow layers less than wide ones.

    Erdos-Renyi-Kernel (Evci et al. 2020, RigL): the density of a layer is proportional to
    the sum of its dimensions over their product, at most 1; what a full layer cannot take
    goes to the others. No layer gets more survivors than an earlier mask has left it.
    """
    sizes = {n: t.numel() for n, t in scores.tensors.items()}
    survivors = sum(sizes.values()) - round(sparsity * sum(sizes.values()))
    check_room(scores.tensors, sparsity, floor)
    least = floor_counts(scores.tensors, floor)
    # Magnitudes are never -inf.
    most = sizes if scores.absolute else {
        n: int(torch.count_nonzero(t > -torch.inf)) for n, t in scores.tensors.items()}
    if survivors > sum(most.values()):
        most = sizes    # as the other allocations: draw() refuses what brings weights back
    counts = apportion(
        survivors, shares=[max(1, sum(t.shape)) for t in scores.tensors.values()],
        least=[min(least[n], most[n]) for n in sizes], most=list(most.values()))
    masks = {}
    for (name, tensor), count in zip(scores.tensors.items(), counts):
        masks.update(keep_highest(Scores({name: tensor}, scores.absolute), sizes[name] - count))
    return masks


def apportion(total: int, shares: Sequence[int], least: Sequence[int],
               most: Sequence[int]) -> List[int]:
    """Whole numbers between ``least`` and ``most``, in proportion to the shares.

    They sum to ``total`` exactly; what rounding leaves over goes to the largest remainders.
    """
    def at(level: Fraction) -> List[Fraction]:
        return [min(max(level * s, Fraction(low)), Fraction(high))
                for s, low, high in zip(shares, least, most)]

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
