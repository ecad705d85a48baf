# Dense top-down heat maps of MMPose: the extreme points of digits, in their annotated boxes.
_base_ = [
    './_base_/models/td_hm_r18_digits.py', './_base_/datasets/digits_poses.py',
    './_base_/digits_runtime.py'
]
default_scope = 'mmpose'
default_hooks = dict(
    visualization=dict(_delete_=True, type='PoseVisualizationHook', enable=False))
visualizer = dict(_delete_=True, type='PoseLocalVisualizer')
