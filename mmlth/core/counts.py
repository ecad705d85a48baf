"""How many weights a mask removes: per layer, per group, in scope, in the network."""
from types import MappingProxyType
from typing import Any, Dict, List, Mapping

from torch import Tensor, nn

from . import mask as masks
from .layers import layers_of
from .parts import groups_of
from .structure import dead_structure


def sparsity_report(model: nn.Module, mask: Mapping[str, Tensor],
                    copies: Mapping[str, str] = MappingProxyType({})) -> Dict[str, Any]:
    """Count weights and zeros.

    Args:
        model: The bare model.
        mask: Masks by parameter name; may be empty.
        copies: The names of averaged copies within the model (a mean teacher's weights) by those
            of the weights, whose zeros they have. Default: none.

    Returns:
        dict: ``layers`` (one row per parameter in scope), ``groups``, ``scope``, ``network``
        and ``structure`` (:func:`~mmlth.core.structure.dead_structure`). A row has ``name``,
        ``weights``, ``zeros`` and ``sparsity``, a layer's row its ``group`` too. ``network``
        counts **all** parameters, as the paper's tables do; zeros are the pruned weights, and
        those of the copies in the network alone.
    """
    layers = []
    for name, keep in mask.items():
        zeros = keep.numel() - int(keep.sum())
        layers.append({**_row(name, keep.numel(), zeros), 'group': groups_of(name)[0]})
    groups: Dict[str, List[dict]] = {}
    for row in layers:
        groups.setdefault(row['group'], []).append(row)
    zeros = masks.pruned(mask)
    return dict(
        network=_row('network', sum(p.numel() for p in model.parameters()),
                     masks.pruned(masks.with_copies(mask, copies))),
        scope=_row('scope', masks.size(mask), zeros),
        groups=[_row(name, sum(r['weights'] for r in rows), sum(r['zeros'] for r in rows))
                for name, rows in groups.items()],
        layers=layers, structure=dead_structure(mask, layers_of(model)))


def _row(name: str, weights: int, zeros: int) -> Dict[str, Any]:
    return dict(name=name, weights=weights, zeros=zeros,
                sparsity=zeros / weights if weights else 0.0)
