"""A shallow against a deep backbone: Mask R-CNN on digits."""
_base_ = './_base_/digits.py'
base = '../mask_rcnn_r18_digits_small_prune80.py'
paper = 'Fig. 3'
seeds = [0]
axes = dict(backbone={'model.backbone.depth': [18, 34], 'sparsity': [0.8, 0.9]})
