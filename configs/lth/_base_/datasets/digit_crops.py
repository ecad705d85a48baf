"""Single digits for classification with MMPretrain, cut out of the small scenes, written by

    python tools/make_digits.py --root data/digits_small --size 96 --train 2000 --val 200
"""
dataset_type = 'CustomDataset'
data_root = 'data/digits_small/'
data_preprocessor = dict(
    num_classes=10, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)

pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(48, 48), interpolation='area'),
    # No flip: a mirrored digit is another sign.
    dict(type='PackInputs')
]
train_dataloader = dict(
    batch_size=96,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type, data_root=data_root, data_prefix='crops/train', pipeline=pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, data_root=data_root, data_prefix='crops/val', pipeline=pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='Accuracy', topk=(1, ))
test_evaluator = val_evaluator
