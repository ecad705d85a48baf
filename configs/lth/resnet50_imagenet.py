"""ResNet-50, ImageNet classification, dense: MMPretrain's own model and 100 epochs.

Needs MMPretrain (`mim install mmpretrain`) and ImageNet in `data/imagenet`, with the folders
`train` and `val` of one folder per class, as MMPretrain's documentation has it.
"""
_base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
randomness = dict(seed=0)  # a ticket compares two trainings: they must be repeatable
