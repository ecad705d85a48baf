"""The ticket of MMPose's heat map model, ResNet-50, COCO keypoints.

Round 0 is the stock config, with its optimizer, schedule and hooks. It evaluates on the person
boxes that MMPose publishes, data/coco/person_detection_results/; on the annotated boxes with

    --cfg-options val_dataloader.dataset.bbox_file=None test_dataloader.dataset.bbox_file=None

Start it with tools/train.py of mmlth: MMPose's own ignores `runner_type`.
"""
_base_ = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py'
runner_type = 'mmlth.LotteryRunner'                      # rounds 0..R, each an ordinary training
optim_wrapper = dict(type='mmlth.MaskedOptimWrapper')    # keeps pruned weights at zero
default_hooks = dict(
    rewind=dict(type='mmlth.RewindHook', to='5%', schedule='restart'),
    prune=dict(
        type='mmlth.PruneHook', sparsity=0.8, rounds=1, allocation='global',
        floor=0.1,  # deconvolutions start at 0.001, far below the backbone: keep some of each
        scope=dict(exclude=[r'^head\.final_layer\.'])))  # the 17 heat maps
