"""Faster R-CNN C4, ResNet-50, VOC 2007, dense. Weights: see `faster_rcnn_r18_voc.py`."""
_base_ = './faster_rcnn_r18_voc.py'
pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet50')
model = dict(
    backbone=dict(depth=50, init_cfg=pretrained),
    rpn_head=dict(in_channels=1024),
    roi_head=dict(
        shared_head=dict(depth=50, init_cfg=pretrained),
        bbox_roi_extractor=dict(out_channels=1024),
        bbox_head=dict(in_channels=2048)))
