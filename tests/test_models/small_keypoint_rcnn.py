"""Keypoint R-CNN of the configs, a hundred times smaller."""
from pathlib import Path

from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'lth'
SMALL = dict(
    backbone=dict(base_channels=8, stem_channels=8, init_cfg=None, frozen_stages=-1,
                  norm_eval=False),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=32),
        keypoint_roi_extractor=dict(out_channels=16),
        keypoint_head=dict(in_channels=16, conv_out_channels=16, num_convs=2)),
    train_cfg=dict(rpn_proposal=dict(max_per_img=50), rcnn=dict(sampler=dict(num=32))),
    test_cfg=dict(rpn=dict(max_per_img=50), rcnn=dict(max_per_img=10)))


def load(name='keypoint_rcnn_r18_coco'):
    return Config.fromfile(CONFIGS / f'{name}.py')


def small(name='keypoint_rcnn_r18_coco'):
    cfg = load(name)
    cfg.merge_from_dict(dict(model=SMALL))
    return cfg
