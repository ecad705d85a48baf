_base_ = '../mask_rcnn_r50_coco.py'
runner_type = 'mmlth.LotteryRunner'                      # rounds 0..R, each an ordinary training
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')    # keeps pruned weights at zero
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='0it'),
    # The pruned and trained backbone (the paper, 4.2): configs/lth/resnet50_imagenet_prune80.py
    prune=dict(type='mmlth.PruneHook', transfer=dict(
        source='work_dirs/resnet50_imagenet_prune80/round_1/final.pth', mapping='backbone')))
