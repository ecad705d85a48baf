"""Single digits for classification with MMPretrain, cut out of scenes of their own, written by

    python tools/make_digits.py --root data/digit_crops --seed 1 --size 96 --train 12000 --val 1000

The 40,000 crops show 1,437 scans: how these are cut, turned and sheared is what teaches most.
"""
dataset_type = 'CustomDataset'
data_root = 'data/digit_crops/'
data_preprocessor = dict(
    num_classes=10, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    # No flip: a mirrored digit is another sign.
    dict(
        type='RandomResizedCrop', scale=64, crop_ratio_range=(0.75, 1.0),
        aspect_ratio_range=(0.75, 1.33), interpolation='area'),
    dict(type='Rotate', angle=15., prob=0.5, pad_val=128, interpolation='bilinear'),
    dict(type='Shear', magnitude=0.15, prob=0.5, pad_val=128, interpolation='bilinear'),
    dict(type='PackInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    # As large as the random crops show them.
    dict(type='Resize', scale=(70, 70), interpolation='area'),
    dict(type='CenterCrop', crop_size=64),
    dict(type='PackInputs')
]
train_dataloader = dict(
    batch_size=96,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ClassBalancedDataset',
        oversample_thr=0.2,
        dataset=dict(
            type=dataset_type, data_root=data_root, data_prefix='crops/train',
            pipeline=train_pipeline)))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, data_root=data_root, data_prefix='crops/val', pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='Accuracy', topk=(1, ))
test_evaluator = val_evaluator
