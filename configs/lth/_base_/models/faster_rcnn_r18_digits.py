"""Faster R-CNN on a ResNet-18 with a quarter of its channels, samplers and heads to match.

From scratch: it reads no weights.
"""
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'
channels = 64
norm_cfg = dict(type='BN', requires_grad=True)

model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        # The finest level (stride 4) would take half of the time: the digits are 20 pixels
        # high or more, stride 8 is enough.
        out_indices=(1, 2, 3),
        frozen_stages=-1,
        norm_cfg=norm_cfg,
        norm_eval=False,
        # So short a training has no time for residual branches that start at zero.
        zero_init_residual=False,
        init_cfg=None),
    neck=dict(in_channels=[32, 64, 128], out_channels=channels, num_outs=4, norm_cfg=norm_cfg),
    rpn_head=dict(
        in_channels=channels,
        feat_channels=channels,
        anchor_generator=dict(scales=[3], strides=[8, 16, 32, 64])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=channels, featmap_strides=[8, 16, 32]),
        bbox_head=dict(
            in_channels=channels, fc_out_channels=256, num_classes=10, reg_class_agnostic=True)),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=128)),
        rpn_proposal=dict(nms_pre=500, max_per_img=200),
        rcnn=dict(sampler=dict(num=64, pos_fraction=0.5))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=200)))
