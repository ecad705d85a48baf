_base_ = './mask_rcnn_r18_coco.py'
runner_type = 'mmlth.LotteryRunner'                      # rounds 0..R, each an ordinary training
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')    # keeps pruned weights at zero
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='5%', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook', sparsity=0.8, rounds=1, allocation='global',
        # All but shortcuts and the last layer of each branch: 78.4 % of the network (Table 4)
        scope=dict(exclude=[r'\.downsample\.', r'\.rpn_(cls|reg)\.', r'\.fc_(cls|reg)\.',
                            r'\.mask_head\.conv_logits\.'])))
