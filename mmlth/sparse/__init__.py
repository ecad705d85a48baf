"""Sparse inference on the CPU: a ticket computes with its surviving weights alone."""
from .layers import SparseConv2d, SparseLinear
from .report import LayerReport, SparseReport
from .sparsify import fold_batch_norms, sparsify

__all__ = ['LayerReport', 'SparseConv2d', 'SparseLinear', 'SparseReport', 'fold_batch_norms',
           'sparsify']
