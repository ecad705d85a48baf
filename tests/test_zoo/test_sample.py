"""A sample that covers every family of both libraries: all it takes but the training."""
import pytest
from mmengine.config import Config
from real_configs import OVERRIDE

from mmlth.zoo.listing import library_root
from mmlth.zoo.model_check import check_model
from mmlth.zoo.result import PASSED
from mmlth.zoo.settings_check import check_lottery_settings

ATTENTION = 'MultiheadAttention.in_proj_weight'
POSE = 'body_2d_keypoint/'
TOP_DOWN = POSE + 'topdown_heatmap/coco/td-hm_'

# Library, config, and kinds of weights that must be in scope and left out.
SAMPLE = [
    # one stage
    ('mmdet', 'retinanet/retinanet_r18_fpn_8xb8-amp-lsj-200e_coco.py', 'Conv2d.weight', ''),
    ('mmdet', 'ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py', 'Conv2d.weight', ''),
    ('mmdet', 'solov2/solov2-light_r18_fpn_ms-3x_coco.py', 'Conv2d.weight', ''),
    ('mmdet', 'centernet/centernet_r18-dcnv2_8xb16-crop512-140e_coco.py',
     'ModulatedDeformConv2dPack.weight', ''),
    # YOLO
    ('mmdet', 'yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py', 'Conv2d.weight', ''),
    ('mmdet', 'yolox/yolox_tiny_8xb8-300e_coco.py', 'Conv2d.weight', ''),
    ('mmdet', 'rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py', 'Conv2d.weight', ''),
    # two stages and a cascade
    ('mmdet', 'faster_rcnn/faster-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py', 'Linear.weight', ''),
    ('mmdet', 'mask_rcnn/mask-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py', 'ConvTranspose2d.weight',
     ''),
    ('mmdet', 'cascade_rcnn/cascade-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py', 'Linear.weight', ''),
    # DETR
    ('mmdet', 'detr/detr_r18_8xb2-500e_coco.py', ATTENTION, 'Embedding.weight'),
    ('mmdet', 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py', ATTENTION,
     'DeformableDETR.level_embed'),
    # other transformers
    ('mmdet', 'pvt/retinanet_pvtv2-b0_fpn_1x_coco.py', ATTENTION, ''),
    ('mmdet', 'swin/retinanet_swin-t-p4-w7_fpn_1x_coco.py', 'Linear.weight',
     'WindowMSA.relative_position_bias_table'),
    # panoptic
    ('mmdet', 'mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py', ATTENTION,
     'Embedding.weight'),
    # top-down
    ('mmpose', TOP_DOWN + 'litehrnet-18_8xb64-210e_coco-256x192.py', 'Conv2d.weight', ''),
    ('mmpose', TOP_DOWN + 'mobilenetv2_8xb64-210e_coco-256x192.py', 'ConvTranspose2d.weight', ''),
    # bottom-up
    ('mmpose', POSE + 'dekr/coco/dekr_hrnet-w32_8xb10-140e_coco-512x512.py',
     'DeformConv2d.weight', ''),
    ('mmpose', POSE + 'yoloxpose/coco/yoloxpose_tiny_4xb64-300e_coco-416.py', 'Conv2d.weight', ''),
    # regression
    ('mmpose', POSE + 'topdown_regression/coco/'
     'td-reg_mobilenetv2_rle-pretrained-8xb64-210e_coco-256x192.py', 'Linear.weight', ''),
    ('mmpose', POSE + 'simcc/coco/simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192.py',
     'Linear.weight', ''),
    # RTM
    ('mmpose', POSE + 'rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py',
     'Linear.weight', 'RTMCCBlock.gamma'),
    ('mmpose', POSE + 'rtmo/body7/rtmo-t_8xb32-600e_body7-416x416.py', 'Linear.weight',
     'DCC.pos_enc'),
    # lifting, and a fixed teacher
    ('mmpose', 'body_3d_keypoint/image_pose_lift/h36m/image-pose-lift_tcn_8xb64-200e_h36m.py',
     'Conv1d.weight', ''),
    ('mmpose', 'wholebody_2d_keypoint/dwpose/ubody/s1_dis/'
     'dwpose_l_dis_t_coco-ubody-256x192.py', 'Linear.weight', 'teacher: Linear.weight'),
]


@pytest.mark.parametrize('library, name, inside, outside', SAMPLE)
def test_all_but_the_training(tmp_path, library, name, inside, outside):
    result = check_model(library, name, OVERRIDE, str(tmp_path))
    assert (result.status, result.reason) == (PASSED, '')
    assert inside in result.in_scope
    assert not outside or outside in result.left_out
    # Teachers aside, nearly all parameters are weights of layers.
    assert 'teacher' in outside or result.scope_weights > 0.9 * result.network_weights


@pytest.mark.parametrize('library, name', [row[:2] for row in SAMPLE])
def test_the_override_and_the_rounds(library, name):
    stock = Config.fromfile(str(library_root(library) / 'configs' / name))
    assert check_lottery_settings(stock, library, name, OVERRIDE) == (PASSED, '')
