"""Global against layer-wise pruning, and by multiply-adds, on digits."""
_base_ = './_base_/digits.py'
paper = 'Fig. 2e'
axes = dict(
    allocation=dict(allocation=['global', 'layerwise'], sparsity=[0.5, 0.8, 0.9]),
    # Not in the paper. Of these, sparsity is the share of the multiply-adds.
    compute=dict(allocation=['compute'], sparsity=[0.5, 0.8]),
    longer=dict(control=['dense']))
