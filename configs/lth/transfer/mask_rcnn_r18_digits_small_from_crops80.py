"""A ticket of the classifier of crops, trained, in the backbone of Mask R-CNN (the paper, 4.2).

First: python tools/train.py configs/lth/resnet18_digit_crops_prune80.py
"""
_base_ = '../mask_rcnn_r18_digits_small.py'
runner_type = 'mmlth.LotteryRunner'
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='0it', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook',
        dense=False,  # the dense model is that of `mask_rcnn_r18_digits_small_from_crops.py`
        transfer=dict(
            source='work_dirs/resnet18_digit_crops_prune80/round_1/final.pth',
            mapping='backbone')))
