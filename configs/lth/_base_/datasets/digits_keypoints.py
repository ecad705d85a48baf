"""The digits with boxes and four keypoints, for MMDetection."""
_base_ = './digits_detection.py'
dataset_type = 'mmlth.CocoKeypointDetDataset'
metainfo = dict(
    keypoint_names=('top', 'left', 'bottom', 'right'),
    flip_pairs=(('left', 'right'), ),
    skeleton=(('top', 'left'), ('left', 'bottom'), ('bottom', 'right'), ('right', 'top')),
    # COCO's for hips, its loosest. Along a stroke that is nearly parallel to an edge of its
    # box, an extreme pixel is as hard to tell from its neighbours: those within 1/20 of the
    # digit's size lie 0.15 (top, bottom) to 0.3 (left, right) of its scale away.
    sigmas=(.107, ) * 4)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmlth.LoadKeypointAnnotations', with_bbox=True),
    dict(type='Resize', scale_factor=1., keep_ratio=True),
    dict(type='mmlth.PackKeypointInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale_factor=1., keep_ratio=True),
    dict(type='mmlth.LoadKeypointAnnotations', with_bbox=True),
    dict(
        type='mmlth.PackKeypointInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
]
train_dataloader = dict(
    dataset=dict(type=dataset_type, metainfo=metainfo, pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(type=dataset_type, metainfo=metainfo, pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmlth.CocoKeypointDetMetric', metric=['bbox', 'keypoints'])
test_evaluator = val_evaluator
