"""Which modules to prune (the paper, Table 3): every combination of base, top, RPN and head."""
from itertools import combinations

base = '../faster_rcnn_r18_voc_prune80.py'
modules = ('base', 'top', 'rpn', 'head')
# The sixteenth, without any module, is the dense model: round 0 of each run.
axes = dict(modules=dict(
    scope=[list(c) for n in range(1, 5) for c in combinations(modules, n)]))
metric = 'pascal_voc/mAP'
del modules, combinations
