"""Exact selection of the lowest scores in linear time and little memory.

Floyd & Rivest, "Expected time bounds for selection", CACM 18(3), 1975: a small random
sample brackets the wanted order statistic, one pass counts what lies below the bracket
and collects what lies inside. The result is exact for any sample.
"""
import math
from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

import torch
from torch import Tensor

from .errors import UserError

CHUNK = 1 << 20     # elements per step: 4 MiB of fp32
SAMPLE = 1 << 18


@dataclass(frozen=True)
class Scores:
    """One number per weight; the lowest are pruned.

    Args:
        tensors: Scores by parameter name, each in the parameter's shape; fp32, fp16 or
            bf16 (others are compared as fp32). ``-inf`` marks what is pruned already.
        absolute: Compare ``|x|``: magnitude pruning then needs no copy of the weights.
    """
    tensors: Mapping[str, Tensor]
    absolute: bool = False

    def numel(self) -> int:
        return sum(t.numel() for t in self.tensors.values())

    def chunks(self, tensor: Tensor) -> Iterator[Tensor]:
        """The scores of one tensor, flat, in pieces of at most :data:`CHUNK`."""
        size = CHUNK if tensor.device.type == 'cpu' else 64 * CHUNK
        for piece in tensor.detach().reshape(-1).split(size):
            yield piece.float().abs() if self.absolute else piece.float()

    def below(self, mask: Mapping[str, Tensor]) -> 'Scores':
        """These scores with ``-inf`` wherever ``mask`` has pruned already."""
        return Scores({
            name: torch.where(mask[name], t.detach().abs() if self.absolute else t, -torch.inf)
            for name, t in self.tensors.items()})


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise a ValueError that names the first parameter with a NaN or infinity."""
    for name, tensor in tensors.items():
        # A sum is non-finite if any element is; overflow of finite ones is told apart.
        if not torch.isfinite(tensor.detach().sum(dtype=torch.float64)):
            bad = int((~torch.isfinite(tensor.detach())).sum())
            if bad:
                raise UserError(
                    f'{name} has {bad} non-finite weights (NaN or infinity) of '
                    f'{tensor.numel()}: the training diverged. Lower the learning rate '
                    'or clip gradients, and draw the ticket from finite weights.')


def keep_highest(scores: Scores, prune: int) -> Dict[str, Tensor]:
    """Masks that prune exactly the ``prune`` lowest scores.

    Among equal scores the one that comes first is pruned first: in the order of
    ``scores.tensors``, then by flat index. The result is the same on every device.

    Args:
        scores: The scores; NaN is not allowed.
        prune: How many weights to prune, 0 to ``scores.numel()``.

    Returns:
        dict[str, BoolTensor]: True where the weight survives, in the scores' shapes.
        Beside it, at most one chunk and about 1 % of the scores are held in memory.
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
        mask = torch.empty(tensor.shape, dtype=torch.bool, device=tensor.device)
        flat, start = mask.view(-1), 0
        for chunk in scores.chunks(tensor):
            keep = flat[start:start + chunk.numel()]
            torch.gt(chunk, threshold, out=keep)
            ties = _keep_late_ties(chunk, threshold, keep, ties)
            start += chunk.numel()
        masks[name] = mask
    return masks


def _keep_late_ties(chunk, threshold: float, keep: Tensor, ties: int) -> int:
    """Let all ties survive but the first ``ties``; return how many are still to go."""
    equal = (chunk == threshold).nonzero().view(-1)
    if len(equal):
        keep[equal[min(ties, len(equal)):]] = True
    return max(0, ties - len(equal))


def _kth_lowest(scores: Scores, rank: int) -> Tuple[float, int]:
    """The score of the given rank (0 is the lowest) and how many are truly lower."""
    total = scores.numel()
    if total <= SAMPLE:
        values = torch.cat([c for t in scores.tensors.values() for c in scores.chunks(t)])
        threshold = values.kthvalue(rank + 1).values
        return threshold.item(), int((values < threshold).sum())
    generator = torch.Generator().manual_seed(0)
    fraction, width = rank / total, 4.0     # of the bracket, in standard deviations
    while True:
        sample = _sample(scores, generator)
        middle = fraction * len(sample)
        spread = width * (len(sample) * fraction * (1 - fraction)) ** 0.5 + 2
        low, high = math.floor(middle - spread), math.ceil(middle + spread)
        found = _rank_inside(
            scores, rank,
            sample[low].item() if low >= 0 else -math.inf,
            sample[high].item() if high < len(sample) else math.inf)
        if found is not None:
            return found
        width *= 4      # an unlucky sample: the wanted score lies outside the bracket


def _sample(scores: Scores, generator: torch.Generator) -> Tensor:
    """About :data:`SAMPLE` scores, every tensor by its share, sorted."""
    total, parts = scores.numel(), []
    for tensor in scores.tensors.values():
        if tensor.numel():
            count = max(1, round(SAMPLE * tensor.numel() / total))
            index = torch.randint(tensor.numel(), (count,), generator=generator)
            flat = tensor.detach().reshape(-1)[index.to(tensor.device)]
            parts.extend(chunk.cpu() for chunk in scores.chunks(flat))
    return torch.cat(parts).sort().values


def _rank_inside(scores, rank, low: float, high: float) -> Optional[Tuple[float, int]]:
    """The wanted score if it lies in [low, high], with the number of lower ones."""
    below = at_low = at_high = 0
    inside: List[Tensor] = []
    for tensor in scores.tensors.values():
        for chunk in scores.chunks(tensor):
            # Inside is open: ties at an end may be any number, between them few.
            at_least = chunk >= low
            below += chunk.numel() - int(torch.count_nonzero(at_least))
            piece = chunk[at_least.logical_and_(chunk <= high)]
            at_low += int(torch.count_nonzero(piece == low))
            if high != low:
                at_high += int(torch.count_nonzero(piece == high))
            inside.append(piece[(piece > low) & (piece < high)].cpu())
    values = torch.cat(inside)
    if rank < below:
        return None
    if rank < below + at_low:
        return low, below
    lower = below + at_low
    if rank < lower + len(values):
        found = values.kthvalue(rank - lower + 1).values
        return found.item(), lower + int((values < found).sum())
    lower += len(values)
    return (high, lower) if rank < lower + at_high else None
