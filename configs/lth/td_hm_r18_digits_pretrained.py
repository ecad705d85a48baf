"""Top-down heat maps on digits, pretrained: poses of the studies.

What to run first, and how to begin from scratch: `_base_/models/digits_pretrained.py`.
"""
_base_ = [
    './_base_/models/td_hm_r18_digits.py', './_base_/datasets/digits_scenes_poses.py',
    './_base_/digits_pretrained_runtime.py', './_base_/models/digits_pretrained.py'
]
default_scope = 'mmpose'
model = dict(
    backbone=dict(frozen_stages=1, norm_eval=True, init_cfg={{_base_.classifier}}))
default_hooks = dict(
    visualization=dict(_delete_=True, type='PoseVisualizationHook', enable=False))
visualizer = dict(_delete_=True, type='PoseLocalVisualizer')
