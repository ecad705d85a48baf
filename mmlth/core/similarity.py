"""How much two masks agree.

Intersection over union (IoU), of the weights that survive or of those that are pruned. The paper
(4.3, Fig. 2f) means the pruned ones: "the overlap in the parameters being pruned". Two masks of
80 % sparsity whose survivors have an IoU of 0.81 have one of 0.95 of the pruned: of the two, that
of the survivors tells sparse masks apart. By chance it is d / (2 - d) at density d, that of the
pruned s / (2 - s) at sparsity s, 0.11 and 0.67 there.

The Hamming distance of early-bird papers misleads on sparse masks: at density d two random
masks differ in only 2d(1 - d) of their entries, 0.095 at 95 % sparsity, and pass a threshold
of 0.1.
"""
from typing import Dict, Iterator, Mapping, Tuple

import torch
from torch import Tensor

from .parts import groups_of

MEASURED = ('survivors', 'pruned')


def iou(a: Mapping[str, Tensor], b: Mapping[str, Tensor], of: str = 'survivors') -> float:
    """Weights that are so in both masks over those that are in either; 1.0 if there are none.

    Args:
        a, b: Masks of the same shapes. A weight that one of them lacks, as it was frozen then and
            out of its scope, survives in that one.
        of: What counts, ``'survivors'`` or ``'pruned'``. Default: ``'survivors'``.
    """
    both = sum(int(torch.count_nonzero(one & other)) for one, other in _pairs(a, b))
    either = sum(int(torch.count_nonzero(one | other)) for one, other in _pairs(a, b))
    if of == 'pruned':
        size = sum(one.numel() for one, _ in _pairs(a, b))
        both, either = size - either, size - both
    return both / either if either else 1.0


def chance_iou(a: Mapping[str, Tensor], b: Mapping[str, Tensor], of: str = 'survivors') -> float:
    """What :func:`iou` would be, had the masks been drawn at random.

    For two masks of one density d it is d / (2 - d), of the pruned s / (2 - s) with s = 1 - d.
    """
    size = sum(one.numel() for one, _ in _pairs(a, b))
    p, q = (sum(int(torch.count_nonzero(pair[k])) for pair in _pairs(a, b)) / size
            for k in (0, 1))
    if of == 'pruned':
        p, q = 1 - p, 1 - q
    return p * q / (p + q - p * q) if p + q else 1.0


def pruned_iou(survivors: float, p: float, q: float) -> float:
    """The IoU of the pruned of two masks, from that of their survivors; of chance likewise.

    Args:
        survivors: :func:`iou` or :func:`chance_iou` of the survivors.
        p, q: The masks' densities.
    """
    both = survivors * (p + q) / (1 + survivors)    # of all weights
    return (1 - p - q + both) / (1 - both) if both < 1 else 1.0


def group_iou(a: Mapping[str, Tensor], b: Mapping[str, Tensor],
              of: str = 'survivors') -> Dict[str, float]:
    """:func:`iou` per group of parameters."""
    groups: Dict[str, list] = {}
    for name in {**a, **b}:
        groups.setdefault(groups_of(name)[0], []).append(name)
    return {group: iou({n: a[n] for n in names if n in a}, {n: b[n] for n in names if n in b}, of)
            for group, names in groups.items()}


def _pairs(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Iterator[Tuple[Tensor, Tensor]]:
    """Both masks of each weight that one of them has."""
    for name in {**a, **b}:
        if name in a and name in b:
            yield a[name], b[name]
        else:
            full = torch.ones_like(a[name] if name in a else b[name])
            yield a.get(name, full), b.get(name, full)
