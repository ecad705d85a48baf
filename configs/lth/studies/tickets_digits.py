"""Rounds, allocation, rewinding, controls and early-bird masks on small scenes of digits.

First: python tools/make_digits.py --root data/digits_128 --size 128 --train 1000 --val 250
"""
base = '../faster_rcnn_r18_digits_prune80.py'
iters = 500
root = 'data/digits_128/'
cfg_options = {
    'train_cfg.max_iters': iters,
    'train_cfg.val_interval': iters,
    'param_scheduler.1.end': iters,
    'param_scheduler.1.T_max': iters - 50,
    'default_hooks.checkpoint.interval': iters // 2,
    'train_dataloader.dataset.data_root': root,
    'val_dataloader.dataset.data_root': root,
    'val_evaluator.ann_file': root + 'annotations/instances_val.json',
    'train_dataloader.dataset.pipeline.2.scale': (128, 128),
    'val_dataloader.dataset.pipeline.1.scale': (128, 128),
}
del iters, root
seeds = [0, 1, 2]
axes = dict(
    controls=dict(control=[None, 'fresh_weights', 'random_mask', 'shuffled_mask', 'dense']),
    allocation=dict(allocation=['global', 'layerwise'], sparsity=[0.6, 0.8, 0.9]),
    rewinding=dict(to=['0it', '5%', '25%']),
    # At 90 % the base's floor of 10 % leaves global pruning nothing to choose.
    floor=dict(floor=[0.1, 0.02], sparsity=[0.9]),
    early_bird={'default_hooks.early_bird': [dict(type='mmlth.EarlyBirdHook', interval=25)]},
    rounds=dict(rounds=[1, 3, 5]))
metric = 'coco/bbox_mAP'
