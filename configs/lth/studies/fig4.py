"""Change of AP by object size: boxes, masks and keypoints of COCO."""
_base_ = './_base_/coco.py'
paper = 'Fig. 4'
axes = dict(sizes=dict(
    base=['../mask_rcnn_r18_coco_prune80.py', '../keypoint_rcnn_r18_coco_prune80.py'],
    sparsity=[0.5, 0.8, 0.9]))
