"""How sparsity is spread over layers. A new way is one function and one dict entry.

Each takes the scores, the sparsity and the floor: the fraction of a layer's weights that
survives in any case (rounded down, but at least one), 0 for none.
"""
from typing import Callable, Dict

import torch
from torch import Tensor

from .errors import UserError
from .selection import Scores, keep_highest


def prune_global(scores: Scores, sparsity: float, floor: float = 0.0) -> Dict[str, Tensor]:
    """Prune round(sparsity * N) of all N weights, wherever they lie (the paper, 4.3)."""
    prune = round(sparsity * scores.numel())
    if floor:
        scores = _protect(scores, floor, scores.numel() - prune)
    return keep_highest(scores, prune)


def prune_layerwise(scores: Scores, sparsity: float, floor: float = 0.0) -> Dict[str, Tensor]:
    """Prune round(sparsity * n) of the n weights of every layer (the paper, Fig. 2e)."""
    masks = {}
    for name, tensor in scores.tensors.items():
        layer = Scores({name: tensor}, scores.absolute)
        masks.update(prune_global(layer, sparsity, floor))
    return masks


def check_floor(floor: float, sparsity: float) -> None:
    """Raise a UserError unless the floor leaves enough to prune."""
    if not 0 <= floor <= 1 - sparsity + 1e-9:     # 1 - 0.9 is a little less than 0.1
        raise UserError(
            f'floor must be the fraction of each layer that survives, from 0 to the density '
            f'{1 - sparsity:.4g} that sparsity {sparsity:.4g} leaves, got {floor!r}')


def _protect(scores: Scores, floor: float, survivors: int) -> Scores:
    """The scores with +inf for the best of every layer, as many as the floor says."""
    counts = {n: max(1, int(floor * t.numel())) for n, t in scores.tensors.items() if t.numel()}
    if sum(counts.values()) > survivors:
        raise UserError(
            f'a floor of {floor} keeps {sum(counts.values())} weights of {len(counts)} layers, '
            f'but only {survivors} may survive; lower the floor')
    protected = {}
    for name, tensor in scores.tensors.items():
        count = counts.get(name, 0)
        best = keep_highest(Scores({name: tensor}, scores.absolute), tensor.numel() - count)
        own = tensor.detach()
        if not scores.copied:   # a second copy would take 4 bytes per weight more
            own = own.abs() if scores.absolute else own.clone()
        # What an earlier round has pruned stays pruned.
        protected[name] = own.masked_fill_(best[name] & (own > -torch.inf), torch.inf)
    return Scores(protected, copied=True)


ALLOCATIONS: Dict[str, Callable[[Scores, float, float], Dict[str, Tensor]]] = {
    'global': prune_global,
    'layerwise': prune_layerwise,
}
