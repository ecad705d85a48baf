"""One-shot against iterative pruning, on digits."""
_base_ = './_base_/digits.py'
paper = 'Fig. 2d'
axes = dict(rounds=dict(rounds=[1, 2]))
