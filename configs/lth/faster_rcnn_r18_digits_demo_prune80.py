_base_ = './faster_rcnn_r18_digits_demo.py'
runner_type = 'mmlth.LotteryRunner'
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='5%', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook',
        sparsity=0.8,
        rounds=1,
        allocation='global',
        scope=None,  # all convolution and linear weights
        floor=0.1))  # without it, nothing is left of the two layers that regress boxes
