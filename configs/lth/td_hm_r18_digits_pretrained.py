"""Top-down heat maps on digits, pretrained: poses of the studies.

The backbone begins as the classifier of `resnet18_digit_crops.py`, as the paper's do as classifiers
of ImageNet. First:

    python tools/make_digits.py --root data/digit_crops --seed 1 --size 96 --train 12000 --val 1000
    python tools/make_digits.py --root data/digits_scenes --size 96 --train 500 --val 1000
    python tools/train.py configs/lth/resnet18_digit_crops_prune80.py

From scratch: --cfg-options model.backbone.init_cfg=None
"""
_base_ = [
    './_base_/models/td_hm_r18_digits.py', './_base_/datasets/digits_scenes_poses.py',
    './_base_/digits_pretrained_runtime.py', './_base_/models/digits_pretrained.py'
]
default_scope = 'mmpose'
model = dict(backbone=dict(init_cfg={{_base_.classifier}}))
default_hooks = dict(
    visualization=dict(_delete_=True, type='PoseVisualizationHook', enable=False))
visualizer = dict(_delete_=True, type='PoseLocalVisualizer')
