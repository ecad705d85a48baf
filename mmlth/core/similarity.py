"""How much two masks agree.

Intersection over union of the surviving weights. The Hamming distance of early-bird papers
misleads on sparse masks: at density d two random masks differ in only 2d(1 - d) of their
entries, 0.095 at 95 % sparsity, and pass a threshold of 0.1.
"""
from typing import Dict, Mapping

import torch
from torch import Tensor

from .scope import groups_of


def iou(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """Surviving weights of both masks over those of either; 1.0 if none survives."""
    both = sum(int(torch.count_nonzero(a[n] & b[n])) for n in a)
    either = sum(int(torch.count_nonzero(a[n] | b[n])) for n in a)
    return both / either if either else 1.0


def chance_iou(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """What :func:`iou` would be, had the survivors been drawn at random.

    For two masks of one density d it is d / (2 - d).
    """
    size = sum(m.numel() for m in a.values())
    p, q = (sum(int(torch.count_nonzero(m)) for m in mask.values()) / size
            for mask in (a, b))
    return p * q / (p + q - p * q) if p + q else 1.0


def group_iou(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Dict[str, float]:
    """:func:`iou` per group of parameters."""
    groups: Dict[str, list] = {}
    for name in a:
        groups.setdefault(groups_of(name)[0], []).append(name)
    return {group: iou({n: a[n] for n in names}, {n: b[n] for n in names})
            for group, names in groups.items()}
