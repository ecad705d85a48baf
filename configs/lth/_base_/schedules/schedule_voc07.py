"""10,020 iterations of 12 images: 12 epochs of VOC 2007 trainval and its mirror images."""
# One evaluation, after the last iteration, whatever `max_iters` is set to.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=10020, val_interval=10020)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=600),
    dict(type='MultiStepLR', by_epoch=False, begin=0, end=10020, milestones=[8350], gamma=0.1)
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001))

auto_scale_lr = dict(enable=False, base_batch_size=12)
