_base_ = './td_hm_r18_coco_person.py'
runner_type = 'mmlth.LotteryRunner'                      # rounds 0..R, each an ordinary training
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')    # keeps pruned weights at zero
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='5%', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook', sparsity=0.8, rounds=1, allocation='global',
        floor=0.1,  # deconvolutions start at 0.001, far below the backbone: keep some of each
        scope=dict(exclude=[r'^head\.final_layer\.'])))  # the 17 heat maps
