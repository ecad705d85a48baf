_base_ = './faster_rcnn_r18_voc_small.py'
runner_type = 'mmlth.LotteryRunner'                      # rounds 0..R, each an ordinary training
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')    # keeps pruned weights at zero
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='100it', schedule='restart'),
    prune=dict(type='mmlth.PruneHook', sparsity=0.8, rounds=1, allocation='global',
               scope=['base', 'top']))
