"""Change of AP of each category: boxes and masks of COCO."""
_base_ = './_base_/coco.py'
base = '../mask_rcnn_r18_coco_prune80.py'
paper = 'Fig. 5'
axes = dict(categories=dict(sparsity=[0.8, 0.9]))
