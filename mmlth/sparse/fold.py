"""Batch norms folded into the convolutions before them."""
from collections import Counter
from typing import Mapping

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .trace import Layer, Use, altered


def fold(model: nn.Module, uses: Mapping[Layer, Use]) -> int:
    """Fold every batch norm that alone reads the output of one convolution; how many.

    The convolution scales and shifts in its weight and bias, and an identity takes the
    norm's place. A convolution that several norms share (one per level of a pyramid) or
    whose output something else reads as well keeps its norm.
    """
    seen = Counter(norm for use in uses.values() for norm in set(use.norms))
    pairs = [(layer, use.norms[0]) for layer, use in uses.items()
             if type(layer) is nn.Conv2d and use.norms and not use.elsewhere
             and len(set(use.norms)) == 1 and seen[use.norms[0]] == 1
             and len(use.norms) == use.reads == len(use.shapes) and _plain(use.norms[0])]
    for conv, norm in pairs:
        _scale(conv, norm)
    replace(model, {norm: nn.Identity() for _, norm in pairs})
    return len(pairs)


def replace(model: nn.Module, others: Mapping[nn.Module, nn.Module]) -> None:
    """Put other modules in the places of some, everywhere that the model holds them."""
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is not None and child in others:
                parent._modules[name] = others[child].train(child.training)


def _plain(norm: _BatchNorm) -> bool:
    return (type(norm).forward in (nn.BatchNorm2d.forward, nn.SyncBatchNorm.forward)
            and norm.running_mean is not None and not altered(norm))


def _scale(conv: nn.Conv2d, norm: _BatchNorm) -> None:
    """In float64: the result is one rounding away."""
    assert norm.running_mean is not None and norm.running_var is not None   # _plain
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.detach().double()
    shift = -norm.running_mean.double() * scale
    if conv.bias is not None:
        shift = shift + conv.bias.detach().double() * scale
    if norm.bias is not None:
        shift = shift + norm.bias.detach().double()
    weight = conv.weight.detach().double() * scale[:, None, None, None]
    conv.weight = nn.Parameter(weight.float(), requires_grad=False)
    conv.bias = nn.Parameter(shift.float(), requires_grad=False)
