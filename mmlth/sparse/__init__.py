"""Sparse inference on the CPU: a ticket computes with its surviving weights alone."""
from .convert import fold_batch_norms, sparsify
from .layers import SparseConv2d, SparseLinear
from .report import LayerReport, SparseReport

__all__ = ['LayerReport', 'SparseConv2d', 'SparseLinear', 'SparseReport', 'fold_batch_norms',
           'sparsify']
