"""Mask R-CNN, ResNet-18, COCO boxes and masks, dense. Weights: see `mask_rcnn_r50_coco.py`."""
_base_ = './mask_rcnn_r50_coco.py'
model = dict(
    backbone=dict(
        depth=18, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[64, 128, 256, 512]))
