"""N:M: of every M consecutive input channels N survive."""
import re
from typing import Dict, FrozenSet, List, Mapping, Optional, Tuple

import torch
from torch import Tensor

from .score import Scores


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
    pattern = parse(allocation)
    return [] if pattern is None else [
        name for name, tensor in tensors.items()
        if _group_dim(tensor, pattern[1], name in transposed) is None]


def parse(name: str) -> Optional[Tuple[int, int]]:
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
