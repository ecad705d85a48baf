"""Global against layer-wise pruning, on digits."""
_base_ = './_base_/digits.py'
paper = 'Fig. 2e'
axes = dict(allocation=dict(allocation=['global', 'layerwise'], sparsity=[0.8, 0.9]))
