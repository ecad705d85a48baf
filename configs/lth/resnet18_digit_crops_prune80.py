_base_ = './resnet18_digit_crops.py'
runner_type = 'mmlth.LotteryRunner'
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='5%', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook',
        sparsity=0.8,
        rounds=1,
        allocation='global',
        floor=0.1,
        scope=dict(exclude=[r'^head\.'])))  # a detector takes the backbone only
