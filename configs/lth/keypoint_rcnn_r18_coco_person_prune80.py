_base_ = './keypoint_rcnn_r18_coco_person.py'
runner_type = 'mmlth.LotteryRunner'                      # rounds 0..R, each an ordinary training
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')    # keeps pruned weights at zero
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='50it', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook', sparsity=0.8, rounds=1, allocation='global',
        # As `keypoint_rcnn_r18_coco_prune80.py`.
        scope=dict(exclude=[r'\.downsample\.', r'\.rpn_(cls|reg)\.', r'\.fc_(cls|reg)\.',
                            r'\.keypoint_head\.deconv\.'])))
