"""Keypoint R-CNN, ResNet-18 with FPN, COCO persons: the paper's keypoint model, dense.

Works without pruning, as any model of MMDetection. The ImageNet weights come from
torchvision; to load a local file of the same keys instead:

    --cfg-options model.backbone.init_cfg.checkpoint=FILE

Without any weights, nothing may stay fixed at its random start:

    --cfg-options model.backbone.init_cfg=None model.backbone.frozen_stages=-1 \
                  model.backbone.norm_eval=False
"""
_base_ = [
    'mmdet::_base_/default_runtime.py', './_base_/models/keypoint_rcnn_r18_fpn.py',
    './_base_/datasets/coco_person_keypoints.py', './_base_/schedules/schedule_coco_90k.py'
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=10000, max_keep_ckpts=2))
log_processor = dict(by_epoch=False)
visualizer = dict(type='mmlth.KeypointDetLocalVisualizer')
randomness = dict(seed=0)  # a ticket compares two trainings: they must be repeatable
