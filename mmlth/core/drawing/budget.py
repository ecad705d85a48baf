"""Exact selection of the lowest scores whose costs fit a budget.

The threshold is found by bisection over the bits of a float32: 32 passes that compare and
count, without sorting or a copy.
"""
import struct
from fractions import Fraction
from typing import Callable, Dict, Mapping

from torch import Tensor

from .arrays import Array, count_true
from .score import Scores
from .selection import mask_above


def prune_within(scores: Scores, costs: Mapping[str, Fraction],
                 budget: Fraction) -> Dict[str, Tensor]:
    """Masks that prune the lowest scores, one after the other, as far as the budget goes.

    The next one would exceed it. Among equal scores the one that comes first is pruned first:
    in the order of ``scores.tensors``, then by flat index.

    Args:
        scores: The scores; NaN is not allowed.
        costs: What an entry of each tensor costs, by its name; more than 0.
        budget: All pruned entries cost at most this.

    Returns:
        dict[str, BoolTensor]: True where the weight survives, in the scores' shapes.
    """
    low, high = _key(-float('inf')) - 1, _key(float('inf'))
    while high - low > 1:   # what is not above ``low`` fits
        middle = (low + high) // 2
        value = _value(middle)
        if _spent(scores, costs, lambda chunk: chunk <= value) <= budget:
            low = middle
        else:
            high = middle
    threshold, masks = _value(high), {}
    left = budget - _spent(scores, costs, lambda chunk: chunk < threshold)
    for name, tensor in scores.tensors.items():
        ties = _number(scores, tensor, lambda chunk: chunk == threshold)
        fit = min(ties, left // costs[name])
        masks[name], _ = mask_above(scores, tensor, threshold, fit)
        # The first tie that does not fit is the end: a cheaper one behind it stays.
        left = left - fit * costs[name] if fit == ties else Fraction(0)
    return masks


def _spent(scores: Scores, costs: Mapping[str, Fraction],
           chosen: Callable[[Array], Array]) -> Fraction:
    """What the chosen entries cost."""
    return sum((costs[name] * _number(scores, tensor, chosen)
                for name, tensor in scores.tensors.items()), Fraction(0))


def _number(scores: Scores, tensor: Tensor, chosen: Callable[[Array], Array]) -> int:
    return sum(count_true(chosen(chunk)) for chunk in scores.chunks(tensor))


def _key(value: float) -> int:
    """A float32 as a whole number, in the order of the floats."""
    bits, = struct.unpack('<i', struct.pack('<f', value))
    return bits ^ (bits >> 31 & 0x7fffffff)


def _value(key: int) -> float:
    """The inverse of :func:`_key`."""
    return struct.unpack('<f', struct.pack('<i', key ^ (key >> 31 & 0x7fffffff)))[0]
