"""One-shot against iterative pruning, on digits, the same sparsity in the end."""
_base_ = './_base_/digits.py'
paper = 'Fig. 2d'
axes = dict(
    rounds=dict(rounds=[1, 2, 3, 5]),
    longer=dict(control=['dense'], rounds=[1, 3]))
