"""Change of AP of each category: boxes and masks of digits."""
_base_ = './_base_/digits.py'
base = '../mask_rcnn_r18_digits_pretrained_prune80.py'
paper = 'Fig. 5'
axes = dict(categories=dict(sparsity=[0.8, 0.9]))
