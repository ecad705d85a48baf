"""What small scenes need less of; the weights are the same in number and shape."""
small_scenes = dict(
    # No digit is higher than 115 pixels: no level of stride 64.
    neck=dict(num_outs=3),
    rpn_head=dict(anchor_generator=dict(strides=[8, 16, 32])),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=200, max_per_img=50),
        rcnn=dict(sampler=dict(num=16))),
    test_cfg=dict(
        rpn=dict(nms_pre=200, max_per_img=50),
        # After so short a training few scores are high.
        rcnn=dict(score_thr=0.01)))
