"""Faster R-CNN on digits, pretrained: the model of the studies.

What to run first, and how to begin from scratch: `_base_/models/digits_pretrained.py`.
"""
_base_ = [
    './_base_/models/faster_rcnn_r18_digits.py', './_base_/datasets/digits_scenes_detection.py',
    './_base_/digits_pretrained_runtime.py', './_base_/models/digits_pretrained.py'
]
model = {{_base_.small_scenes}}
