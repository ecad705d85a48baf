# `keypoint_rcnn_r18_digits.py` on small scenes, for studies: a minute and a half on one CPU core.
_base_ = [
    './_base_/models/keypoint_rcnn_r18_digits.py', './_base_/datasets/digits_small_keypoints.py',
    './_base_/digits_small_runtime.py', './_base_/models/digits_small.py'
]
model = {{_base_.small_scenes}}
visualizer = dict(type='mmlth.KeypointDetLocalVisualizer')
