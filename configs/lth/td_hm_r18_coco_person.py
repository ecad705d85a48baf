"""MMPose's heat map model, ResNet-18, on persons of 128x96 pixels: minutes on a CPU, dense.

A cut of COCO in `data/coco_person`: `images/` and `person_keypoints_{train,val}.json`. Evaluates
on the annotated boxes. Weights: see `keypoint_rcnn_r18_coco.py`.
"""
_base_ = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py'

data_root = 'data/coco_person/'
codec = dict(type='MSRAHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=1)
model = dict(
    backbone=dict(depth=18, init_cfg=dict(checkpoint='torchvision://resnet18')),
    head=dict(in_channels=512, decoder=codec))

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomHalfBody'),
    dict(type='RandomBBoxTransform'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs')
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs')
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root, ann_file='person_keypoints_train.json',
        data_prefix=dict(img='images/'), pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root, ann_file='person_keypoints_val.json', bbox_file=None,
        data_prefix=dict(img='images/'), pipeline=val_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'person_keypoints_val.json')
test_evaluator = val_evaluator

max_epochs = 105    # stock: 210, with the same proportions
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=0.001, by_epoch=False),
    dict(
        type='MultiStepLR', begin=0, end=max_epochs, milestones=[85, 100], gamma=0.1, by_epoch=True)
]
default_hooks = dict(checkpoint=dict(interval=max_epochs, save_best=None))
auto_scale_lr = dict(base_batch_size=16)
randomness = dict(seed=0)  # a ticket compares two trainings: they must be repeatable
