"""Sparsity where the time goes: by multiply-adds against global, layerwise and ERK, on digits.

Of the compute ones, sparsity is the share of the multiply-adds, not of the weights: the analysis
shows all against the latency that their lotteries have measured.
"""
_base_ = './_base_/digits_small.py'
axes = dict(allocation=dict(
    allocation=['global', 'layerwise', 'erk', 'compute'], sparsity=[0.7, 0.8, 0.9],
    floor=[0.02]))  # the base's 10 % of every layer leaves nothing to choose at 90 %
