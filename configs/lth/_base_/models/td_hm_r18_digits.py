"""MMPose's heat map model on the narrow ResNet-18 of the detectors on digits."""
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    backbone=dict(
        type='ResNet', depth=18, stem_channels=16, base_channels=16, zero_init_residual=False),
    head=dict(
        type='HeatmapHead',
        in_channels=128,
        out_channels=4,
        deconv_out_channels=(64, 64, 64),
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=dict(
            type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=1)),
    test_cfg=dict(flip_test=False))
