"""Faster R-CNN C4 on the narrow ResNet-18 of the detectors on digits: it has a `top`.

Its last feature map has a stride of 8, as a digit is 27 to 115 pixels high. The classifier's
conv1 to layer3 are in the backbone, its layer4 in the shared head.
"""
_base_ = ['./faster_rcnn_r18_c4.py', './digits_pretrained.py']
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(
        base_channels=16,
        strides=(1, 2, 1),
        norm_cfg=norm_cfg,
        zero_init_residual=False,
        init_cfg={{_base_.classifier}}),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(scales=[3, 6, 12], strides=[8])),
    roi_head=dict(
        shared_head=dict(
            _delete_=True,
            type='mmlth.NarrowResLayer',
            depth=18,
            base_channels=16,
            norm_cfg=norm_cfg,
            init_cfg={{_base_.classifier}}),
        bbox_roi_extractor=dict(out_channels=64, featmap_strides=[8]),
        bbox_head=dict(in_channels=128, num_classes=10, reg_class_agnostic=True)),
    train_cfg=dict(
        rpn=dict(allowed_border=-1, sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=200, max_per_img=50),
        rcnn=dict(sampler=dict(num=16, pos_fraction=0.5))),
    test_cfg=dict(
        rpn=dict(nms_pre=200, max_per_img=50),
        rcnn=dict(score_thr=0.01, nms=dict(iou_threshold=0.5))))
