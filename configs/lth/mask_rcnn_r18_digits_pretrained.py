"""Mask R-CNN on digits, pretrained: boxes and masks of the studies.

What to run first, and how to begin from scratch: `_base_/models/digits_pretrained.py`.
"""
_base_ = [
    './_base_/models/mask_rcnn_r18_digits.py', './_base_/datasets/digits_scenes_instances.py',
    './_base_/digits_pretrained_runtime.py', './_base_/models/digits_pretrained.py'
]
model = {{_base_.small_scenes}}
