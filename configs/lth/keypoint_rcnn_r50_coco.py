"""Keypoint R-CNN, ResNet-50, COCO persons, dense. Weights: see `keypoint_rcnn_r18_coco.py`."""
_base_ = './keypoint_rcnn_r18_coco.py'
model = dict(
    backbone=dict(
        depth=50, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    neck=dict(in_channels=[256, 512, 1024, 2048]))
