"""Models of small scenes whose backbone begins as the dense classifier of digits."""
_base_ = './digits_small.py'
small_scenes = dict(
    backbone=dict(
        init_cfg=dict(
            _delete_=True,
            type='Pretrained',
            prefix='backbone.',
            checkpoint='work_dirs/resnet18_digit_crops_prune80/round_0/final.pth')),
    # With half as many regions boxes were still far from their end after the same iterations.
    train_cfg=dict(rcnn=dict(sampler=dict(num=32))))
