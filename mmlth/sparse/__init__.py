"""Sparse inference on the CPU: a ticket computes with its surviving weights alone."""
from typing import Any

from torch import nn

from mmlth.core.files import AnyPath

from .convert import fold_batch_norms, sparsify
from .layers import SparseConv2d, SparseLinear
from .packed import PackedModel
from .report import LayerReport, SparseReport

__all__ = ['LayerReport', 'PackedModel', 'SparseConv2d', 'SparseLinear', 'SparseReport',
           'fold_batch_norms', 'load', 'sparsify']


def load(path: AnyPath, **options: Any) -> nn.Module:
    """The model of a packed file: :func:`mmlth.engine.packed.load`, with its arguments."""
    from mmlth.engine.packed import load as load_model      # what builds a model lies above
    return load_model(path, **options)
