"""The ticket of RTMPose-s, COCO keypoints.

Round 0 is the stock config, with its AdamW, schedule and hooks (EMA, and the second pipeline of
the last epochs). Its augmentations need `pip install albumentations`.

Start it with tools/train.py of mmlth: MMPose's own ignores `runner_type`.
"""
_base_ = 'mmpose::body_2d_keypoint/rtmpose/coco/rtmpose-s_8xb256-420e_coco-256x192.py'
runner_type = 'mmlth.LotteryRunner'                      # rounds 0..R, each an ordinary training
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')    # keeps pruned weights at zero
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='5%', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook', sparsity=0.8, rounds=1, allocation='global',
        floor=0.1,  # no layer is emptied, the small ones of channel attention neither
        # The classifiers of x and y. `final_layer`, in spite of its name, lies before them.
        scope=dict(exclude=[r'^head\.cls_[xy]\.'])))
