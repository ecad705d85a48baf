"""Models of small scenes whose backbone begins as the dense classifier of digits.

Its stem, first stage and the statistics of its batch norm stay as they are, as in the paper's
models on ImageNet weights.
"""
_base_ = './digits_small.py'
classifier = dict(
    type='Pretrained',
    prefix='backbone.',
    checkpoint='work_dirs/resnet18_digit_crops_prune80/round_0/final.pth')
small_scenes = dict(
    backbone=dict(
        frozen_stages=1, norm_eval=True, init_cfg=dict(_delete_=True, **classifier)))
