"""How sparsity is spread over layers. A new way is one function and one dict entry."""
from typing import Callable, Dict

from torch import Tensor

from .selection import Scores, keep_highest


def prune_global(scores: Scores, sparsity: float) -> Dict[str, Tensor]:
    """Prune round(sparsity * N) of all N weights, wherever they lie (the paper, 4.3)."""
    return keep_highest(scores, round(sparsity * scores.numel()))


def prune_layerwise(scores: Scores, sparsity: float) -> Dict[str, Tensor]:
    """Prune round(sparsity * n) of the n weights of every layer (the paper, Fig. 2e)."""
    masks = {}
    for name, tensor in scores.tensors.items():
        layer = Scores({name: tensor}, scores.absolute)
        masks.update(keep_highest(layer, round(sparsity * tensor.numel())))
    return masks


ALLOCATIONS: Dict[str, Callable[[Scores, float], Dict[str, Tensor]]] = {
    'global': prune_global,
    'layerwise': prune_layerwise,
}
