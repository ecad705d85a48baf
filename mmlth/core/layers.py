"""What is known of a weight beyond its shape, told from its layer."""
from dataclasses import dataclass
from typing import Dict, Mapping, Optional

from torch import nn
from torch.nn.modules.conv import _ConvTransposeNd

from .scope import norm_weights, prunable


@dataclass(frozen=True)
class Layer:
    """The layer of a weight.

    Args:
        transposed: Whether the weight is laid out as (in, out / groups, ...), as those of
            transposed convolutions; all others are (out, in / groups, ...). Default: False.
        macs: Multiply-adds of each of its entries. Default: None, they are not counted.
    """
    transposed: bool = False
    macs: Optional[float] = None


Layers = Mapping[str, Layer]
PLAIN = Layer()     # of a weight that nothing is said of


def layers_of(model: nn.Module, macs: Optional[Mapping[str, float]] = None) -> Dict[str, Layer]:
    """The layers of all :func:`~mmlth.core.scope.prunable` weights and scales of norms.

    Args:
        model: The bare model.
        macs: Of :class:`~mmlth.core.flops.MultiplyAdds`. Default: None, they are not counted.
    """
    known = {id(m.weight) for m in model.modules() if isinstance(m, _ConvTransposeNd)}
    return {name: Layer(id(weight) in known, None if macs is None else macs.get(name))
            for name, weight in {**prunable(model), **norm_weights(model)}.items()}
