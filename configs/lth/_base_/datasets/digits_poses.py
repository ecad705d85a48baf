"""Digits with four keypoints each, for top-down models of MMPose; boxes are the annotated."""
dataset_type = 'CocoDataset'
data_root = 'data/digits/'
metainfo = dict(
    dataset_name='digits',
    keypoint_info={
        0: dict(name='top', id=0, color=[51, 153, 255], type='', swap=''),
        1: dict(name='left', id=1, color=[0, 200, 0], type='', swap='right'),
        2: dict(name='bottom', id=2, color=[51, 153, 255], type='', swap=''),
        3: dict(name='right', id=3, color=[255, 128, 0], type='', swap='left')
    },
    skeleton_info={
        0: dict(link=('top', 'left'), id=0, color=[51, 153, 255]),
        1: dict(link=('left', 'bottom'), id=1, color=[51, 153, 255]),
        2: dict(link=('bottom', 'right'), id=2, color=[51, 153, 255]),
        3: dict(link=('right', 'top'), id=3, color=[51, 153, 255])
    },
    joint_weights=[1.] * 4,
    sigmas=[.107] * 4)  # why: see digits_keypoints.py

codec = dict(type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=1)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    # A mirrored digit is no digit, but its extreme points are right.
    dict(type='RandomFlip', direction='horizontal'),
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
    batch_size=32,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_mode='topdown',
        metainfo=metainfo,
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='train/'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_mode='topdown',
        metainfo=metainfo,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='val/'),
        test_mode=True,
        pipeline=val_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='CocoMetric', ann_file=data_root + 'annotations/instances_val.json', nms_mode='none')
test_evaluator = val_evaluator
