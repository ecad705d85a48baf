# `td_hm_r18_digits.py` on small scenes, for studies: 40 seconds on one CPU core.
_base_ = [
    './_base_/models/td_hm_r18_digits.py', './_base_/datasets/digits_small_poses.py',
    './_base_/digits_small_runtime.py'
]
default_scope = 'mmpose'
default_hooks = dict(
    visualization=dict(_delete_=True, type='PoseVisualizationHook', enable=False))
visualizer = dict(_delete_=True, type='PoseLocalVisualizer')
