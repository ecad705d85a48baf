"""The floor: the fraction of each layer's weights that survives in any case."""
from dataclasses import replace
from numbers import Real
from typing import Any, Dict, Mapping

import torch
from torch import Tensor

from ..errors import UserError
from .score import Scores
from .selection import keep_highest


def check_floor(floor: Any, sparsity: float) -> None:
    """Raise a UserError unless the floor is a number that leaves enough to prune."""
    if (not isinstance(floor, Real) or isinstance(floor, bool)
            or not 0 <= float(floor) <= 1 - sparsity + 1e-9):   # 1 - 0.9 is a little less than 0.1
        raise UserError(
            f'floor must be the fraction of each layer that survives, from 0 to the density '
            f'{1 - sparsity:.4g} that sparsity {sparsity:.4g} leaves, got {floor!r}')


def check_room(tensors: Mapping[str, Tensor], sparsity: float, floor: float) -> None:
    """Raise a UserError if the floors of all layers are more than survives of their sum.

    Of a small layer one weight is more than the floor says, and many small layers add up.

    Args:
        tensors: Weights or scores, by parameter name, over which one total is spread.
        sparsity: Of all of them.
        floor: Fraction of each layer's weights that is to survive.
    """
    counts = floor_counts(tensors, floor)
    total = sum(tensor.numel() for tensor in tensors.values())
    survivors = total - round(sparsity * total)
    if sum(counts.values()) > survivors:
        raise UserError(
            f'a floor of {floor} keeps {sum(counts.values())} weights of {len(counts)} layers, '
            f'but only {survivors} may survive; lower the floor')


def floor_counts(tensors: Mapping[str, Tensor], floor: float) -> Dict[str, int]:
    """How many weights of each layer the floor keeps; of an empty one, or by no floor, 0."""
    return {name: max(1, int(floor * tensor.numel())) if floor and tensor.numel() else 0
            for name, tensor in tensors.items()}


def protect(scores: Scores, floor: float) -> Scores:
    """The scores with +inf for the best of every layer, as many as the floor says."""
    counts = floor_counts(scores.tensors, floor)
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
