"""The VOC model at 300 pixels: for a part of VOC 2007, on a CPU.

Weights: see `faster_rcnn_r18_voc.py`.
"""
_base_ = './faster_rcnn_r18_voc.py'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(500, 300), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(500, 300), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[2, 4, 8, 16])),     # objects of half the size
    # layer4 learns its norms, so weights that lack layer4 will do as well
    roi_head=dict(shared_head=dict(norm_cfg=dict(requires_grad=True), norm_eval=False)),
    # layer4 on every region is most of the work: fewer regions
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),     # of 256 anchors most would be background
        rpn_proposal=dict(nms_pre=2000, max_per_img=300), rcnn=dict(sampler=dict(num=32))),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=100)))

max_iters = 3200
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=100),
    dict(
        type='MultiStepLR', by_epoch=False, begin=0, end=max_iters, milestones=[2660], gamma=0.1)
]
default_hooks = dict(checkpoint=dict(interval=max_iters))
auto_scale_lr = dict(base_batch_size=2)
