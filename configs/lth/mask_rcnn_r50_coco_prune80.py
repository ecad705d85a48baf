_base_ = './mask_rcnn_r50_coco.py'
runner_type = 'mmlth.LotteryRunner'                      # rounds 0..R, each an ordinary training
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')    # keeps pruned weights at zero
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='5%', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook', sparsity=0.8, rounds=1, allocation='global',
        # All but shortcuts and the last layer of each branch, as with ResNet-18. Its shortcuts
        # are larger: 74.1 % of the network.
        scope=dict(exclude=[r'\.downsample\.', r'\.rpn_(cls|reg)\.', r'\.fc_(cls|reg)\.',
                            r'\.mask_head\.conv_logits\.'])))
