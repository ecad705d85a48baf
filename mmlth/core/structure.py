"""Structure that a mask leaves dead: filters and input channels without a survivor."""
from types import MappingProxyType
from typing import Dict, Mapping

from torch import Tensor

from .layers import PLAIN, Layers


def dead_structure(mask: Mapping[str, Tensor],
                   layers: Layers = MappingProxyType({})) -> Dict[str, int]:
    """Count filters, whose output is constant, and inputs of a layer that it does not read.

    Masks of one dimension have neither. In a grouped convolution an input is dead if it is in
    every group.

    Args:
        mask: Masks by parameter name.
        layers: Which weights are those of transposed convolutions. Default: none.

    Returns:
        dict[str, int]: ``filters`` and ``inputs`` in all, ``dead_filters`` and ``dead_inputs``.
    """
    found = dict.fromkeys(('filters', 'dead_filters', 'inputs', 'dead_inputs'), 0)
    for name, keep in mask.items():
        if keep.dim() < 2:
            continue
        transposed = layers.get(name, PLAIN).transposed
        for kind, dim in (('filters', int(transposed)), ('inputs', int(not transposed))):
            rows = keep.movedim(dim, 0).flatten(1)
            found[kind] += len(rows)
            found[f'dead_{kind}'] += int((~rows.any(1)).sum())
    return found
