# Gradual magnitude pruning (Zhu & Gupta 2017): one training, dense at first, 80 % pruned at last.
# Round 0 is the dense model to compare with; dense=False leaves it out.
_base_ = './faster_rcnn_r18_digits.py'
runner_type = 'mmlth.LotteryRunner'
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='0it'),
    prune=dict(
        type='mmlth.PruneHook',
        sparsity=0.8,
        allocation='global',
        scope=None,  # all convolution and linear weights
        floor=0.1,  # without it, nothing is left of the two layers that regress boxes
        update=dict(type='gradual', interval=25, end='75%')))
