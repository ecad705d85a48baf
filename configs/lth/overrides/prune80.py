"""The lottery for any config: tools/train.py CONFIG --lth configs/lth/overrides/prune80.py

80 % of all convolution and linear weights, but never more than 90 % of one layer, in one
shot, rewound to 5 % of the training.
"""
runner_type = 'mmlth.LotteryRunner'
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='5%', schedule='restart'),
    prune=dict(type='mmlth.PruneHook', sparsity=0.8, rounds=1, allocation='global',
               floor=0.1))   # no layer is emptied, the small ones that regress boxes neither
