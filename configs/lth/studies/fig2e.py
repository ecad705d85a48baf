"""Global against layer-wise pruning."""
_base_ = './_base_/voc.py'
paper = 'Fig. 2e'
axes = dict(allocation=dict(
    allocation=['global', 'layerwise'],
    sparsity=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]))
