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
        scope=['base', 'top']))  # as the paper's ImageNet tickets: no stem, no shortcuts
