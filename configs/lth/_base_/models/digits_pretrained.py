"""Models of small scenes whose backbone begins as the dense classifier of digits.

Its stem, first stage and the statistics of its batch norm stay as they are, as in the paper's
models on ImageNet weights. First:

    python tools/make_digits.py --root data/digit_crops --seed 1 --size 96 --train 12000 --val 1000
    python tools/make_digits.py --root data/digits_scenes --size 96 --train 500 --val 1000
    python tools/train.py configs/lth/resnet18_digit_crops_prune80.py

From scratch, when nothing may stay fixed at its random start:

    --cfg-options model.backbone.init_cfg=None model.backbone.frozen_stages=-1 \
                  model.backbone.norm_eval=False
"""
_base_ = './digits_small.py'
classifier = dict(
    type='Pretrained',
    prefix='backbone.',
    checkpoint='work_dirs/resnet18_digit_crops_prune80/round_0/final.pth')
small_scenes = dict(
    backbone=dict(
        frozen_stages=1, norm_eval=True, init_cfg=dict(_delete_=True, **classifier)))
