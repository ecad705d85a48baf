# ResNet-18 of MMPretrain on digits cut out of the small scenes; its backbone is that of the
# detectors on digits. A training takes 40 seconds on one CPU core.
_base_ = [
    './_base_/models/resnet18_digits.py', './_base_/datasets/digit_crops.py',
    './_base_/digits_small_runtime.py'
]
default_scope = 'mmpretrain'
default_hooks = dict(
    visualization=dict(_delete_=True, type='VisualizationHook', enable=False))
visualizer = dict(_delete_=True, type='UniversalVisualizer')
