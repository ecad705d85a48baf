"""Small scenes for studies of pretrained models: few to train on, many to evaluate on.

    python tools/make_digits.py --root data/digits_scenes --size 96 --train 500 --val 1000
"""
_base_ = './digits_small_poses.py'
data_root = 'data/digits_scenes/'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/instances_val.json')
test_evaluator = val_evaluator
