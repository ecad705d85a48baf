"""Ten stock configs, made small, train both rounds on real images: three iterations each."""
import json
from pathlib import Path

import pytest
from mmengine.registry import RUNNERS
from real_configs import COCO, PERSON, tiny_config
from toy_ticket import check_files

from mmlth.core import paths

R18 = {'model.backbone.depth': 18}
FPN = {**R18, 'model.neck.in_channels': [64, 128, 256, 512]}
RCNN = {**FPN, 'model.train_cfg.rpn_proposal.max_per_img': 50,
        'model.test_cfg.rpn.max_per_img': 50, 'model.test_cfg.rcnn.score_thr': 0.0,
        'model.test_cfg.rcnn.max_per_img': 10}
SMALL_FC = {f'model.roi_head.bbox_head.{i}.fc_out_channels': 64 for i in range(3)}
HRNET = {
    **{f'model.backbone.extra.stage{stage}.num_channels': tuple(8 * 2**i for i in range(stage))
       for stage in (2, 3, 4)},
    'model.backbone.extra.stage3.num_modules': 1, 'model.backbone.extra.stage4.num_modules': 1}
MASK2FORMER = {
    **R18, 'model.panoptic_head.in_channels': [64, 128, 256, 512],
    'model.panoptic_head.num_queries': 10, 'model.test_cfg.max_per_image': 10,
    'model.train_cfg.num_points': 64,
    'model.panoptic_head.transformer_decoder.num_layers': 2,
    'model.panoptic_head.num_transformer_feat_level': 3,
    'model.panoptic_head.pixel_decoder.encoder.num_layers': 1}
POSE = 'body_2d_keypoint/'

MODELS = {
    'one stage': ('mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', COCO, {}),
    'two stages': ('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', COCO, {
        **RCNN, 'model.roi_head.bbox_head.fc_out_channels': 64}),
    'cascade': ('mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py', COCO, {
        **RCNN, **SMALL_FC}),
    'DETR': ('mmdet::detr/detr_r18_8xb2-500e_coco.py', COCO, {
        'model.encoder.num_layers': 1, 'model.decoder.num_layers': 2, 'model.num_queries': 10,
        'model.test_cfg.max_per_img': 10}),
    'YOLO': ('mmdet::yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py', COCO, {}),
    'mask transformer': ('mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco.py', COCO,
                         MASK2FORMER),
    'vision transformer': ('mmdet::pvt/retinanet_pvtv2-b0_fpn_1x_coco.py', COCO, {}),
    'top-down': (f'mmpose::{POSE}topdown_heatmap/coco/'
                 'td-hm_mobilenetv2_8xb64-210e_coco-256x192.py', PERSON, {}),
    'bottom-up': (f'mmpose::{POSE}dekr/coco/dekr_hrnet-w32_8xb10-140e_coco-512x512.py', PERSON, {
        **HRNET, 'model.head.in_channels': 8 + 16 + 32 + 64}),
    'regression': (f'mmpose::{POSE}topdown_regression/coco/'
                   'td-reg_mobilenetv2_rle-pretrained-8xb64-210e_coco-256x192.py', PERSON, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize('kind', MODELS)
def test_two_rounds_on_real_images(tmp_path, real_data, kind):
    name, images, options = MODELS[kind]
    cfg = tiny_config(name, tmp_path, real_data, images, epochs=1, options=options,
                      sizes={(512, 512): (64, 64), (128, 128): (16, 16)})
    RUNNERS.build(cfg).train()
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert [entry['status'] for entry in rounds] == ['done', 'done']
    assert [entry['iterations'] for entry in rounds] == [3, 3]
    assert rounds[1]['scope_sparsity'] == pytest.approx(0.8, abs=1e-5)
    assert rounds[0]['metrics'] and rounds[0]['metrics'].keys() == rounds[1]['metrics'].keys()
    folder = Path(tmp_path, 'round_1')
    kinds = {path.name.split('_')[0] for path in check_files(folder)}
    assert {'best', 'final.pth'} <= kinds
    assert (folder / 'watched').read_text() == '3'
