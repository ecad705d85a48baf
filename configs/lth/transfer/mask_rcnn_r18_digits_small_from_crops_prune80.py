"""Direct pruning of what the tickets of crops prune: the backbone."""
_base_ = './mask_rcnn_r18_digits_small_from_crops.py'
runner_type = 'mmlth.LotteryRunner'
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='5%', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook',
        sparsity=0.8,
        rounds=1,
        allocation='global',
        scope=['base', 'top']))
