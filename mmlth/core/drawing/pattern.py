"""N:M: of every M consecutive input channels N survive."""
import re
from functools import partial
from typing import Any, Dict, Mapping, Optional, Tuple

import torch
from torch import Tensor

from ..layers import PLAIN, Layers
from .allocation import Allocation
from .score import Scores


def prune_pattern(scores: Scores, sparsity: float, floor: float = 0.0, *,
                  pattern: Tuple[int, int]) -> Dict[str, Tensor]:
    """Keep the N highest of every M consecutive input channels, of equal ones the last.

    Sparse tensor cores take 2:4 (Mishra et al. 2021). A layer whose input
    channels do not fall into groups of M stays whole, so the total sparsity may be less than
    1 - N/M.
    What an earlier mask has pruned stays pruned: its groups may keep fewer than N.

    Args:
        scores: The scores.
        sparsity: 1 - N/M, see :attr:`Allocation.fixed`.
        floor: At most N/M, so it holds by itself.
        pattern: (N, M).
    """
    masks = {}
    for name, tensor in scores.tensors.items():
        values = tensor.detach().float()    # compared as keep_highest compares
        if scores.absolute:
            values = values.abs()
        keep = values > -torch.inf
        dim = _group_dim(tensor, pattern[1], scores.layer(name).transposed)
        if dim is not None:
            keep &= _highest_of_groups(values, dim, *pattern)
        masks[name] = keep.contiguous()
    return masks


def pattern_of(name: Any) -> Optional[Allocation]:
    """The allocation that ``'2:4'`` or another N:M with 0 < N < M names; None if it is none."""
    match = re.fullmatch(r'(\d+):(\d+)', str(name))
    count, group = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 0 < count < group:
        return None
    return Allocation(partial(prune_pattern, pattern=(count, group)), str(name), exact=None,
                      fixed=1 - count / group, by_shape=True,
                      remark=partial(_whole, size=group, pattern=str(name)))


def _whole(mask: Mapping[str, Tensor], layers: Layers, *, size: int, pattern: str) -> str:
    """The layers that stay whole: they have no input dimension (1-D), or none that fits."""
    names = [name for name, keep in mask.items()
             if _group_dim(keep, size, layers.get(name, PLAIN).transposed) is None]
    return '' if not names else (
        f'{len(names)} layer(s) stay whole, their input channels are no multiple of the pattern '
        f'{pattern}: {", ".join(names)}')


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
