"""ResNet-18 against ResNet-50: Mask R-CNN on COCO."""
_base_ = './_base_/coco.py'
paper = 'Fig. 3'
axes = dict(backbone=dict(
    base=['../mask_rcnn_r18_coco_prune80.py', '../mask_rcnn_r50_coco_prune80.py'],
    sparsity=[0.5, 0.8, 0.9]))
