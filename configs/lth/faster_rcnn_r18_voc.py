"""Faster R-CNN C4, ResNet-18, VOC 2007: the main model of the paper, dense.

The ImageNet weights come from torchvision. To load a local file of the same keys instead:

    --cfg-options model.backbone.init_cfg.checkpoint=FILE \
                  model.roi_head.shared_head.init_cfg.checkpoint=FILE

Without any weights, nothing may stay fixed at its random start:

    --cfg-options model.backbone.init_cfg=None model.roi_head.shared_head.init_cfg=None \
                  model.backbone.frozen_stages=-1 \
                  model.backbone.norm_cfg.requires_grad=True model.backbone.norm_eval=False \
                  model.roi_head.shared_head.norm_cfg.requires_grad=True \
                  model.roi_head.shared_head.norm_eval=False
"""
_base_ = [
    'mmdet::_base_/default_runtime.py', './_base_/models/faster_rcnn_r18_c4.py',
    './_base_/datasets/voc07.py', './_base_/schedules/schedule_voc07.py'
]
default_hooks = dict(  # 835 iterations: one epoch with mirror images
    checkpoint=dict(by_epoch=False, interval=835, max_keep_ckpts=2))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)  # a ticket compares two trainings: they must be repeatable
