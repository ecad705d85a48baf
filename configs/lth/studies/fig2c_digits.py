"""Sparsity of each layer under global pruning, on digits."""
_base_ = './_base_/digits.py'
paper = 'Fig. 2c'
axes = dict(layers=dict(sparsity=[0.8]))
