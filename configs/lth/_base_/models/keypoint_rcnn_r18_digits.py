"""Faster R-CNN on digits with a keypoint branch: two narrow convolutions instead of eight."""
_base_ = './faster_rcnn_r18_digits.py'
model = dict(
    type='mmlth.KeypointRCNN',
    roi_head=dict(
        type='mmlth.KeypointRoIHead',
        keypoint_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=0),
            out_channels=64,
            featmap_strides=[8, 16, 32]),
        keypoint_head=dict(
            type='mmlth.KeypointRCNNHead',
            num_keypoints=4,
            num_convs=2,
            in_channels=64,
            conv_out_channels=32,
            loss_keypoint=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0))))
