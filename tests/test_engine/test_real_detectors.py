"""YOLOX, RTMDet and RTMPose from their stock configs, with their own hooks, on real images."""
import json
from pathlib import Path

import pytest
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from real_configs import COCO, OVERRIDE, PERSON, tiny_config
from toy_ticket import check_files

from mmlth.core import Ticket, paths
from mmlth.engine.config import load_config


def check_lottery(cfg, switched):
    assert 'EMAHook' in [hook.type for hook in cfg.custom_hooks]
    RUNNERS.build(cfg).train()
    rounds = json.loads(Path(cfg.work_dir, paths.LOTTERY).read_text())['rounds']
    assert rounds[1]['scope_sparsity'] == pytest.approx(0.8, abs=1e-5)
    folder = Path(cfg.work_dir, 'round_1')
    kinds = {path.name.split('_')[0] for path in check_files(folder)}
    assert {'best', 'epoch', 'final.pth'} <= kinds
    assert (folder / 'watched').read_text() == '6'
    assert next(folder.glob('2*/*.log')).read_text().count(switched) == 1


@pytest.mark.slow
@pytest.mark.parametrize('name, switched', [
    ('yolox/yolox_tiny_8xb8-300e_coco.py', 'No mosaic and mixup aug now!'),
    ('rtmdet/rtmdet_tiny_8xb32-300e_coco.py', 'Switch pipeline now!')])
def test_detectors_with_their_own_hooks(tmp_path, real_data, name, switched):
    cfg = tiny_config(f'mmdet::{name}', tmp_path, real_data, COCO)
    check_lottery(cfg, switched)


@pytest.mark.slow
def test_a_pose_estimator_with_its_own_hooks(tmp_path, real_data):
    cfg = tiny_config(
        'mmpose::body_2d_keypoint/rtmpose/coco/rtmpose-s_8xb256-420e_coco-256x192.py',
        tmp_path, real_data, PERSON)
    check_lottery(cfg, 'Switch pipeline now!')


@pytest.mark.slow
@pytest.mark.parametrize('score', ['snip', 'grasp', 'synflow'])
def test_scores_of_a_two_stage_detector(tmp_path, real_data, score):
    """Both stages get scores; SynFlow sees the second one through the model's proposals."""
    root = real_data / 'coco80'
    cfg = load_config(str(Path(OVERRIDE).parents[1] / 'faster_rcnn_r18_digits.py'))
    data = cfg.train_dataloader.dataset
    data.update(data_root=str(root), ann_file='annotations/instances_train2017.json',
                data_prefix=dict(img='train2017/'), metainfo=None, indices=4)
    data.pipeline[2].scale = (96, 96)
    cfg.model.roi_head.bbox_head.num_classes = 80
    cfg.train_dataloader.batch_size = 2
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    cfg.default_hooks.prune = dict(
        type='mmlth.PruneHook', score=score, iterations=3, floor=0.01, dense=False)
    cfg.work_dir = str(tmp_path)
    runner = Runner.from_cfg(cfg)
    runner.train()
    mask = Ticket.load(tmp_path / paths.NEXT_TICKET).mask
    total = sum(keep.numel() for keep in mask.values())
    assert sum(int(keep.sum()) for keep in mask.values()) == total - round(0.8 * total)
    for layer in ('backbone.conv1', 'rpn_head.rpn_conv', 'roi_head.bbox_head.shared_fcs.0'):
        kept = float(mask[f'{layer}.weight'].float().mean())
        assert 0.0099 <= kept < 1, (layer, kept)
    assert 'predict' not in vars(runner.model.rpn_head)     # only its copy was changed
