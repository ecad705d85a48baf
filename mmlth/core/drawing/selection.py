"""Exact selection of the lowest scores in linear time and little memory.

Floyd & Rivest, "Expected time bounds for selection", CACM 18(3), 1975: a small random
sample brackets the wanted order statistic, one pass counts what lies below the bracket
and collects what lies inside. The result is exact for any sample.

The passes run chunk by chunk, see :mod:`~mmlth.core.drawing.arrays`.
"""
import math
from typing import Dict, List, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from .arrays import Array, as_array, count_true, on_host, positions
from .score import Scores

SAMPLE = 1 << 17

def keep_highest(scores: Scores, prune: int) -> Dict[str, Tensor]:
    """Masks that prune exactly the ``prune`` lowest scores.

    Among equal scores the one that comes first is pruned first: in the order of
    ``scores.tensors``, then by flat index. The result is the same on every device.

    Args:
        scores: The scores; NaN is not allowed.
        prune: How many weights to prune, 0 to ``scores.numel()``.

    Returns:
        dict[str, BoolTensor]: True where the weight survives, in the scores' shapes.
        Beside them, a few chunks and a few percent of the scores are held in memory.
    """
    total = scores.numel()
    if not 0 <= prune <= total:
        raise ValueError(f'cannot prune {prune} of {total} weights')
    if prune in (0, total):
        return {n: torch.full_like(t, prune == 0, dtype=torch.bool,
                                   memory_format=torch.contiguous_format)
                for n, t in scores.tensors.items()}
    threshold, below = _kth_lowest(scores, prune - 1)
    ties = prune - below  # so many of the scores equal to the threshold go too
    masks = {}
    for name, tensor in scores.tensors.items():
        masks[name], ties = mask_above(scores, tensor, threshold, ties)
    return masks


def mask_above(scores: Scores, tensor: Tensor, threshold: float,
               ties: int) -> Tuple[Tensor, int]:
    """What survives of one tensor if the first ``ties`` scores equal to the threshold go too.

    Returns:
        tuple[BoolTensor, int]: True where the score is higher, or an equal one is left; and how
        many ties are still to go.
    """
    mask = torch.empty(tensor.shape, dtype=torch.bool, device=tensor.device)
    flat, start = as_array(mask.view(-1)), 0
    for chunk in scores.chunks(tensor):
        keep, ties = _keep(chunk, threshold, ties)
        flat[start:start + len(chunk)] = keep
        start += len(chunk)
    return mask, ties


def _keep(chunk: Array, threshold: float, ties: int) -> Tuple[Array, int]:
    """What survives if the first ``ties`` ties go; how many are still to go then."""
    if not ties:
        return chunk >= threshold, 0
    keep = chunk > threshold
    equal = positions(chunk == threshold)
    keep[equal[ties:]] = True
    return keep, max(0, ties - len(equal))


def _kth_lowest(scores: Scores, rank: int) -> Tuple[float, int]:
    """The score of the given rank (0 is the lowest) and how many are truly lower."""
    total = scores.numel()
    if total <= SAMPLE:
        return _partition([on_host(chunk) for tensor in scores.tensors.values()
                           for chunk in scores.chunks(tensor)], rank)
    generator = torch.Generator().manual_seed(0)
    fraction, width = rank / total, 4.0     # of the bracket, in standard deviations
    while True:
        sample = _sample(scores, generator)
        middle = fraction * len(sample)
        spread = width * (len(sample) * fraction * (1 - fraction)) ** 0.5 + 2
        low, high = math.floor(middle - spread), math.ceil(middle + spread)
        found = _rank_inside(
            scores, rank,
            float(sample[low]) if low >= 0 else -math.inf,
            float(sample[high]) if high < len(sample) else math.inf)
        if found is not None:
            return found
        if low < 0 and high >= len(sample):
            raise ValueError('scores must not be NaN')
        width *= 4      # an unlucky sample: the wanted score lies outside the bracket


def _partition(parts: List[np.ndarray], rank: int) -> Tuple[float, int]:
    """The value of the given rank among ``parts`` and how many are truly lower."""
    values = np.concatenate(parts)
    values.partition(rank)
    return float(values[rank]), count_true(values[:rank] < values[rank])


def _sample(scores: Scores, generator: torch.Generator) -> np.ndarray:
    """About :data:`SAMPLE` scores, every tensor by its share, sorted."""
    total = scores.numel()
    parts: List[np.ndarray] = []
    for tensor in scores.tensors.values():
        if tensor.numel():
            count = max(1, round(SAMPLE * tensor.numel() / total))
            index = torch.randint(tensor.numel(), (count,), generator=generator)
            drawn = tensor.detach().reshape(-1).index_select(0, index.to(tensor.device))
            parts.extend(map(on_host, scores.chunks(drawn)))
    return np.sort(np.concatenate(parts))


def _rank_inside(scores: Scores, rank: int, low: float,
                 high: float) -> Optional[Tuple[float, int]]:
    """The wanted score if it lies in [low, high], with the number of lower ones."""
    below = at_low = at_high = 0
    inside: List[np.ndarray] = []
    for tensor in scores.tensors.values():
        for chunk in scores.chunks(tensor):
            # Inside is open: ties at an end may be any number, between them few.
            at_least = chunk >= low
            below += len(chunk) - count_true(at_least)
            piece = chunk[positions(at_least & (chunk <= high))]
            at_low += count_true(piece == low)
            if high != low:
                at_high += count_true(piece == high)
            inside.append(on_host(piece[positions((piece > low) & (piece < high))]))
    if rank < below:
        return None
    if rank < below + at_low:
        return low, below
    lower, count = below + at_low, sum(map(len, inside))
    if rank < lower + count:
        found, before = _partition(inside, rank - lower)
        return found, lower + before
    lower += count
    return (high, lower) if rank < lower + at_high else None
