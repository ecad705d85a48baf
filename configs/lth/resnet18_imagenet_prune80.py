_base_ = './resnet18_imagenet.py'
runner_type = 'mmlth.LotteryRunner'                      # rounds 0..R, each an ordinary training
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')    # keeps pruned weights at zero
default_hooks = dict(
    # Late resetting as Frankle et al. 2019: weights and schedule go back to 5 % of the training.
    rewind=dict(type='mmlth.RewindHook', to='5ep', schedule='resume'),
    # The residual blocks' convolutions: what Tables 1 and 2 of the paper count after transfer.
    prune=dict(type='mmlth.PruneHook', sparsity=0.8, rounds=1, allocation='global',
               scope=['base', 'top']))
