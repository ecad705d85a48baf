"""Mask R-CNN, ResNet-50 with FPN, COCO: the paper's model for boxes and masks, dense.

MMDetection's own model and 12 epochs, for the paper names no schedule. The ImageNet weights
come from torchvision; to load a local file of the same keys instead:

    --cfg-options model.backbone.init_cfg.checkpoint=FILE

Without any weights, nothing may stay fixed at its random start:

    --cfg-options model.backbone.init_cfg=None model.backbone.frozen_stages=-1 \
                  model.backbone.norm_eval=False
"""
_base_ = [
    'mmdet::_base_/default_runtime.py', 'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/datasets/coco_instance.py', 'mmdet::_base_/schedules/schedule_1x.py'
]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
randomness = dict(seed=0)  # a ticket compares two trainings: they must be repeatable
