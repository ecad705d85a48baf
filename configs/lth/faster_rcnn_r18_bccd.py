"""The VOC model on BCCD, 364 images of blood cells in VOC layout: minutes on a CPU, dense.

Weights: see `faster_rcnn_r18_voc.py`.
"""
_base_ = './faster_rcnn_r18_voc.py'

data_root = 'data/BCCD/'
metainfo = dict(
    classes=('RBC', 'WBC', 'Platelets'), palette=[(220, 20, 60), (106, 0, 228), (255, 200, 0)])
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
]
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file='ImageSets/Main/trainval.txt',
        data_prefix=dict(sub_data_root=''),
        # Two boxes of BCCD have no area, and the regression target of such a box is not a
        # number. With a minimum size they are ignored; their images stay.
        filter_cfg=dict(filter_empty_gt=True, bbox_min_size=1),
        pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file='ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root=''),
        pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(
    # At 320x240, platelets are about 20 pixels wide, red cells 50 and white cells 95.
    rpn_head=dict(anchor_generator=dict(scales=[1.25, 3, 6])),
    roi_head=dict(
        # layer4 learns its norms, so weights that lack layer4 will do as well
        shared_head=dict(norm_cfg=dict(requires_grad=True), norm_eval=False),
        # Red cells are three positions of the feature map wide: 4x4 in, 2x2 out.
        bbox_roi_extractor=dict(roi_layer=dict(output_size=4)),
        bbox_head=dict(num_classes=3, roi_feat_size=2)),
    # layer4 on every region is most of the work: fewer regions. Half of them of cells, and few of
    # each: there is one platelet to a dozen red cells.
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),     # of 256 anchors most would be background
        rpn_proposal=dict(nms_pre=1000, max_per_img=200, nms=dict(iou_threshold=0.5)),
        rcnn=dict(sampler=dict(num=32, pos_fraction=0.5))),
    # Of proposals that overlap by 0.7, those of red cells would crowd out the platelets'.
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=200, nms=dict(iou_threshold=0.5))))

max_iters = 1200
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=50),
    dict(
        type='MultiStepLR', by_epoch=False, begin=0, end=max_iters, milestones=[1000], gamma=0.1)
]
default_hooks = dict(checkpoint=dict(interval=max_iters // 2), logger=dict(interval=20))
auto_scale_lr = dict(base_batch_size=2)
