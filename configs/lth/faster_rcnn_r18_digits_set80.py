# SET (Mocanu et al. 2018): 80 % pruned from the first iteration to the last; each update drops
# the smallest weights of a layer and grows as many at random.
# Round 0 is the dense model to compare with; dense=False leaves it out.
_base_ = './faster_rcnn_r18_digits.py'
runner_type = 'mmlth.LotteryRunner'
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='0it'),
    prune=dict(
        type='mmlth.PruneHook',
        sparsity=0.8,
        score='random',
        allocation='erk',
        scope=None,  # all convolution and linear weights
        update=dict(type='set', interval=25, end='75%', fraction=0.3)))
