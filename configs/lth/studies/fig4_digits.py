"""Change of AP by object size: boxes, masks and keypoints of digits."""
_base_ = './_base_/digits.py'
paper = 'Fig. 4'
axes = dict(sizes=dict(
    base=['../mask_rcnn_r18_digits_pretrained_prune80.py',
          '../keypoint_rcnn_r18_digits_pretrained_prune80.py'],
    sparsity=[0.8, 0.9]))
