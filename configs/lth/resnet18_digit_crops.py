# ResNet-18 of MMPretrain on single digits: what ImageNet's classifier is to the paper's detectors.
# Its backbone is that of the detectors on digits. Trained to 97 % top-1: 8,000 iterations, about
# a quarter of an hour on one CPU core.
_base_ = [
    './_base_/models/resnet18_digits.py', './_base_/datasets/digit_crops.py',
    './_base_/digits_small_runtime.py'
]
max_iters = 8000
train_cfg = dict(max_iters=max_iters, val_interval=2000)
optim_wrapper = dict(optimizer=dict(lr=4e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR', by_epoch=False, begin=50, end=max_iters,
        T_max=max_iters - 50, eta_min_ratio=0.01)
]
default_scope = 'mmpretrain'
default_hooks = dict(
    checkpoint=dict(interval=2000),
    visualization=dict(_delete_=True, type='VisualizationHook', enable=False))
visualizer = dict(_delete_=True, type='UniversalVisualizer')
