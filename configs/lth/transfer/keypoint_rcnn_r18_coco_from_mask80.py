_base_ = '../keypoint_rcnn_r18_coco.py'
runner_type = 'mmlth.LotteryRunner'                      # rounds 0..R, each an ordinary training
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')    # keeps pruned weights at zero
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='0it'),
    # Masks and the weights they were rewound to, up to the box head (the paper, Table 4):
    # configs/lth/mask_rcnn_r18_coco_prune80.py
    prune=dict(type='mmlth.PruneHook', transfer=dict(
        source='work_dirs/mask_rcnn_r18_coco_prune80/round_1/ticket.safetensors',
        mapping='till_heads')))
