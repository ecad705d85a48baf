"""Sparsity of each layer under global pruning."""
_base_ = './_base_/voc.py'
paper = 'Fig. 2c'
axes = dict(layers=dict(sparsity=[0.8]))
