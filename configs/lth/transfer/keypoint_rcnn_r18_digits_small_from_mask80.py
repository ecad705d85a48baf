"""The ticket of Mask R-CNN trains Keypoint R-CNN: all till the heads (the paper, Table 4).

First: python tools/train.py configs/lth/mask_rcnn_r18_digits_small_prune80.py
"""
_base_ = '../keypoint_rcnn_r18_digits_small.py'
runner_type = 'mmlth.LotteryRunner'
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='0it', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook',
        dense=False,  # the dense model is round 0 of `keypoint_rcnn_r18_digits_small_prune80.py`
        transfer=dict(
            # the mask, and the early weights it begins with
            source='work_dirs/mask_rcnn_r18_digits_small_prune80/round_1/ticket.safetensors',
            mapping='till_heads')))
