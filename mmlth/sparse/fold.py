"""Batch norms folded into the convolutions before them."""
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .trace import Uses, altered


def fold(uses: Uses) -> int:
    """Fold every batch norm that alone reads the output of one convolution; how many.

    The convolution scales and shifts in its weight and bias, and the norm becomes an identity,
    itself: whoever holds it holds the identity. A convolution that several norms share (one per
    level of a pyramid) or whose output something else reads or keeps as well keeps its norm; so
    does one whose norm is called on something else, too, or that computes in half precision.
    """
    pairs = [(layer, use.norms[0]) for layer, use in uses.layers.items()
             if type(layer) is nn.Conv2d and use.float32 and not use.elsewhere
             and len(set(use.norms)) == 1
             and len(use.norms) == use.reads == len(use.shapes)
             and len(use.norms) == len(uses.norms[use.norms[0]].shapes)
             and not uses.norms[use.norms[0]].elsewhere and _plain(use.norms[0])]
    for conv, norm in pairs:
        _scale(conv, norm)
        _neutralise(norm)
    return len(pairs)


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


def _neutralise(norm: nn.Module) -> None:
    """Make an identity of it. Another module in its place would miss references in lists."""
    identity = nn.Identity().train(norm.training)
    norm.__class__, norm.__dict__ = identity.__class__, identity.__dict__
