"""Which modules to prune: every combination of base, top, RPN and head."""
from itertools import combinations

_base_ = './_base_/voc.py'
paper = 'Table 3'
modules = ('base', 'top', 'rpn', 'head')
# The sixteenth, without any module, is the dense model: round 0 of each run.
axes = dict(modules=dict(
    scope=[list(c) for n in range(1, 5) for c in combinations(modules, n)]))
del modules, combinations
