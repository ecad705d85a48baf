"""Small scenes for studies, written by

    python tools/make_digits.py --root data/digits_small --size 96 --train 2000 --val 200
"""
_base_ = './digits_poses.py'
data_root = 'data/digits_small/'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/instances_val.json')
test_evaluator = val_evaluator
