"""Faster R-CNN C4 on digits, pretrained: modules of the studies.

What to run first, and how to begin from scratch: `_base_/models/digits_pretrained.py`;
here layer4 is in `model.roi_head.shared_head`.
"""
_base_ = [
    './_base_/models/faster_rcnn_r18_c4_digits.py', './_base_/datasets/digits_scenes_detection.py',
    './_base_/digits_pretrained_runtime.py'
]
