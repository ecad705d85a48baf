"""Keypoint R-CNN, ResNet-18 with FPN, on few COCO persons at 320x240: for a CPU, dense.

A cut of COCO in `data/coco_person`: `images/` and `person_keypoints_{train,val}.json`. Weights:
see `keypoint_rcnn_r18_coco.py`.
"""
_base_ = './keypoint_rcnn_r18_coco.py'

data_root = 'data/coco_person/'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmlth.LoadKeypointAnnotations', with_bbox=True),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmlth.PackKeypointInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
    dict(type='mmlth.LoadKeypointAnnotations', with_bbox=True),
    dict(
        type='mmlth.PackKeypointInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
]
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root, ann_file='person_keypoints_train.json',
        data_prefix=dict(img='images/'), filter_cfg=dict(min_size=16), pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root, ann_file='person_keypoints_val.json',
        data_prefix=dict(img='images/'), pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'person_keypoints_val.json')
test_evaluator = val_evaluator

model = dict(
    # the keypoint head on every person found is most of the work: fewer regions
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=200), rcnn=dict(sampler=dict(num=32))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=100), rcnn=dict(max_per_img=20)))

max_iters = 600
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=50),
    dict(
        type='MultiStepLR', by_epoch=False, begin=0, end=max_iters, milestones=[400, 530],
        gamma=0.1)
]
# Twice Detectron's for 2 images, for so short a training; a few regions make noisy gradients.
optim_wrapper = dict(
    optimizer=dict(lr=0.005), clip_grad=dict(max_norm=10, norm_type=2))
default_hooks = dict(checkpoint=dict(interval=max_iters))
auto_scale_lr = dict(base_batch_size=2)
