"""Two allocations: one is registered, one is named by its path."""
from dataclasses import replace

from mmlth.core import Scores, allocation, keep_highest
from mmlth.registry import ALLOCATIONS


@ALLOCATIONS.register_module()
def normalised(scores, sparsity, floor):
    """One threshold for all layers, where each layer's scores are divided by their mean."""
    tensors = {}
    for name, tensor in scores.tensors.items():
        own = tensor.detach().abs() if scores.absolute else tensor.detach()
        tensors[name] = own / own[own.isfinite()].mean()
    return ALLOCATIONS.get('global')(Scores(tensors), sparsity, floor)


@allocation(exact='layer')
def evenly(scores, sparsity, floor):
    """The same sparsity in each layer, and no floor."""
    masks = {}
    for name, tensor in scores.tensors.items():
        own = replace(scores, tensors={name: tensor})
        masks.update(keep_highest(own, round(sparsity * tensor.numel())))
    return masks
