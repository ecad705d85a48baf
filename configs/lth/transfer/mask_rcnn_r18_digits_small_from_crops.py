"""Mask R-CNN on small scenes of digits whose backbone begins as a dense classifier of crops.

What the tickets of crops are compared with, as the paper's dense models begin as classifiers
of ImageNet. First: python tools/train.py configs/lth/resnet18_digit_crops_prune80.py
"""
_base_ = '../mask_rcnn_r18_digits_small.py'
model = dict(
    backbone=dict(
        init_cfg=dict(
            _delete_=True,
            type='Pretrained',
            prefix='backbone.',
            checkpoint='work_dirs/resnet18_digit_crops_prune80/round_0/final.pth')))
