_base_ = './mask_rcnn_r18_digits_pretrained.py'
runner_type = 'mmlth.LotteryRunner'
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='5%', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook',
        sparsity=0.8,
        rounds=1,
        allocation='global',
        floor=0.02,
        # All but shortcuts and the last layer of each branch, as the paper (Table 4).
        scope=dict(exclude=[r'\.downsample\.', r'\.rpn_(cls|reg)\.', r'\.fc_(cls|reg)\.',
                            r'\.mask_head\.conv_logits\.'])))
