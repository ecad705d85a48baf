"""The schedule for studies on small scenes: 40 to 90 seconds on one CPU core."""
_base_ = './digits_runtime.py'
max_iters = 400
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
# The second moment of the default looks back 1,000 iterations, more than there are.
optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.98)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR', by_epoch=False, begin=50, end=max_iters,
        T_max=max_iters - 50, eta_min_ratio=0.01)
]
default_hooks = dict(checkpoint=dict(interval=max_iters))
