"""One-shot against iterative pruning."""
_base_ = './_base_/voc.py'
paper = 'Fig. 2d'
axes = dict(rounds=dict(rounds=[1, 2, 3, 4, 5]))
