"""The small scenes of `faster_rcnn_r18_digits_small.py`, trained for longer: the quickstart's.

Made for two processes of 8 images each, one per core (`tools/dist_train.sh CONFIG 2`): mmcv's
operators run on one core. A training takes about a minute and a half.
"""
_base_ = './faster_rcnn_r18_digits_small.py'
max_iters = 1000
train_cfg = dict(max_iters=max_iters, val_interval=250)
optim_wrapper = dict(optimizer=dict(lr=4e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR', by_epoch=False, begin=50, end=max_iters,
        T_max=max_iters - 50, eta_min_ratio=0.01)
]
default_hooks = dict(checkpoint=dict(interval=250))
# Processes on CPU cores, not on GPUs.
env_cfg = dict(dist_cfg=dict(backend='gloo'))
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)
