"""What a layer is, told from its module."""
from typing import FrozenSet

from torch import nn
from torch.nn.modules.conv import _ConvTransposeNd

from .scope import prunable


def transposed(model: nn.Module) -> FrozenSet[str]:
    """The names of :func:`prunable` weights laid out as (in, out / groups, ...).

    Those of transposed convolutions; all others are (out, in / groups, ...).
    """
    weights = {id(m.weight) for m in model.modules() if isinstance(m, _ConvTransposeNd)}
    return frozenset(n for n, p in prunable(model).items() if id(p) in weights)
