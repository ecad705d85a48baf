"""Detectors and pose models of several families, sparse: the same predictions."""
import copy
from math import inf

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from real_configs import shrink
from torch import nn

from mmlth.core import draw, layers_of, select
from mmlth.datasets import make_digits
from mmlth.engine import latency as latencies
from mmlth.engine.config import load_config
from mmlth.engine.evaluation import evaluation_config
from mmlth.engine.example import example
from mmlth.engine.latency import latency, to_text
from mmlth.engine.preview import build_model
from mmlth.sparse import SparseConv2d, convert, measure, ops, sparsify

pytestmark = pytest.mark.skipif(ops.unavailable() is not None, reason=str(ops.unavailable()))
POSE = 'mmpose::body_2d_keypoint/'
HRNET = {f'model.backbone.extra.stage{stage}.num_channels': tuple(16 * 2**i for i in range(stage))
         for stage in (2, 3, 4)}
# One of each family of tests/test_zoo: config, network's input, what makes it small.
MODELS = {
    'two stages': ('configs/lth/faster_rcnn_r18_digits.py', (96, 128), {}),
    'anchors': ('mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', (96, 128), {}),
    'no anchors': ('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', (128, 128), {}),
    'YOLO': ('mmdet::yolox/yolox_tiny_8xb8-300e_coco.py', (128, 128), {}),
    'masks': ('mmdet::mask_rcnn/mask-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py', (96, 128), {
        'model.roi_head.bbox_head.fc_out_channels': 64,
        'model.test_cfg.rpn.max_per_img': 50, 'model.test_cfg.rcnn.max_per_img': 10}),
    'DETR': ('mmdet::detr/detr_r18_8xb2-500e_coco.py', (96, 128), {
        'model.encoder.num_layers': 2, 'model.decoder.num_layers': 2}),
    'top-down': (POSE + 'topdown_heatmap/coco/td-hm_mobilenetv2_8xb64-210e_coco-256x192.py',
                 (256, 192), {}),
    'top-down RTM': (POSE + 'rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py', (256, 192), {}),
    'bottom-up': (POSE + 'dekr/coco/dekr_hrnet-w32_8xb10-140e_coco-512x512.py', (128, 128), {
        **HRNET, 'model.head.in_channels': 16 + 32 + 64 + 128,
        'model.backbone.extra.stage3.num_modules': 1,
        'model.backbone.extra.stage4.num_modules': 1})}
SIZES = {(512, 512): (128, 128), (128, 128): (32, 32)}


def pruned(family, sparsity=0.8):
    """A model of random weights whose batch norms know its activations, and a batch."""
    name, shape, options = MODELS[family]
    torch.manual_seed(0)
    cfg = load_config(name, cfg_options=options)
    keep_all(cfg.model)
    shrink(cfg._cfg_dict, SIZES)
    model, batch = build_model(cfg), example(cfg, None, shape)
    weights = select(model)
    mask = draw(weights, sparsity, allocation='layerwise', layers=layers_of(model))
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for key, weight in weights.items():
            weight.mul_(mask[key].view_as(weight))
        for norm in norms:
            norm.momentum = None
        model.train()
        for norm in norms:
            norm.train()
        model.extract_feat(model.data_preprocessor(batch, False)['inputs'].repeat(2, 1, 1, 1))
    return model.eval(), batch


def keep_all(node):
    """Random weights are sure of nothing: keep predictions of any score."""
    for key, value in node.items():
        if isinstance(value, dict):
            keep_all(value)
        elif key == 'score_thr':
            node[key] = 0.


def predictions(model: BaseModel, batch):
    """Scores, highest first, places in that order, and masks where there are some."""
    with torch.no_grad():
        found = model.test_step(copy.deepcopy(batch))[0].pred_instances
    if 'keypoints' in found:
        return torch.as_tensor(found.keypoint_scores), torch.as_tensor(found.keypoints), None
    return found.scores, found.bboxes, found.get('masks')


@pytest.mark.parametrize('sparsity', [0.8, 0.9])
@pytest.mark.parametrize('family', MODELS)
def test_the_same_predictions(family, sparsity, monkeypatch):
    monkeypatch.setattr(convert, 'GAIN', inf)
    monkeypatch.setattr(measure, 'ROUNDS', (1, 1))
    monkeypatch.setattr(measure, 'WHOLE_ROUNDS', (1, 1))
    model, batch = pruned(family, sparsity)
    scores, places, masks = predictions(model, batch)
    features = model.extract_feat(model.data_preprocessor(batch, False)['inputs'])
    report = sparsify(model, copy.deepcopy(batch))
    assert sum(isinstance(m, SparseConv2d) for m in model.modules()) >= 10
    assert report.folded >= 10
    assert (report.aligns > 0) == (family in ('two stages', 'masks'))
    for a, b in zip(features, model.extract_feat(
            model.data_preprocessor(batch, False)['inputs'])):
        assert (a - b).abs().max() <= 1e-4 * a.abs().max()
    found_scores, found_places, found_masks = predictions(model, batch)
    assert len(scores) > 0 and abs(len(scores) - len(found_scores)) <= len(scores) // 50
    # Nearly equal scores may change places, and an NMS at its threshold its mind.
    distance = torch.cdist(places.flatten(1).double(), found_places.flatten(1).double())
    nearest = distance.min(1)
    assert (nearest.values < 0.1).float().mean() > 0.95
    both = min(len(scores), len(found_scores))
    assert torch.allclose(scores[:both], found_scores[:both], atol=1e-3)
    assert (masks is None) == (found_masks is None) == (family != 'masks')
    if masks is not None:
        same = (masks == found_masks[nearest.indices]).flatten(1).float().mean(1)
        assert (same > 0.99).float().mean() > 0.9


def test_latency_of_a_model(monkeypatch):
    model, batch = pruned('two stages')
    before = {name: value.clone() for name, value in model.state_dict().items()}
    monkeypatch.delattr(nn.Module, 'compile', raising=False)    # as in PyTorch 2.0
    result = latency(model, batch, threads=1, repeats=2)
    assert result['forms']['compile'] == 'does not run: it needs PyTorch 2.1'
    assert {'dense_ms', 'sparse_ms', 'speedup', 'max_relative_difference', 'threads',
            'layers'} <= set(result)
    assert set(result['layers'][0]) >= {'name', 'density', 'dense_ms', 'sparse_ms', 'chosen'}
    assert result['max_relative_difference'] < 1e-4
    assert set(result['forms']) == {'eager', 'channels_last', 'compile', 'sparse'}
    assert {'backbone', 'rpn_head', 'roi_head', 'rest'} <= set(result['parts']['sparse'])
    assert result['speedup'] == result['dense_ms'] / result['sparse_ms']
    assert 'speed-up' in to_text(result)
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_dense_form_says_the_same():
    """mmcv's RoIAlign misreads what is in channels_last."""
    model, batch = pruned('two stages')
    forms, _, unfit = latencies._forms(model, batch, compiled=False)
    scores, places, _ = predictions(forms['eager'], batch)
    found_scores, found_places, _ = predictions(forms['channels_last'], batch)
    assert not unfit and len(scores) == len(found_scores)
    assert torch.allclose(scores, found_scores, atol=1e-3)
    assert (torch.cdist(places, found_places).min(1).values < 0.1).float().mean() > 0.95


def test_the_evaluation_is_the_same(tmp_path, monkeypatch):
    """An ordinary Runner with the hook: what ``tools/test.py --sparse`` runs."""
    monkeypatch.setattr(convert, 'GAIN', inf)
    name = 'configs/lth/faster_rcnn_r18_digits.py'
    digits = make_digits(tmp_path / 'digits', train=2, val=6)
    model, _ = pruned('two stages')
    torch.save(model.state_dict(), tmp_path / 'weights.pth')
    metrics, kinds = [], []
    for hooks in ([], [dict(type='mmlth.SparseHook')]):
        cfg = evaluation_config(load_config(name))
        keep_all(cfg.model)
        cfg.update(work_dir=str(tmp_path), load_from=str(tmp_path / 'weights.pth'),
                   custom_hooks=hooks, experiment_name=f'sparse_{len(hooks)}')
        cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
        cfg.test_dataloader.dataset.data_root = str(digits)
        cfg.test_evaluator.ann_file = str(digits / 'annotations/instances_val.json')
        runner = Runner.from_cfg(cfg)
        metrics.append(runner.test())
        kinds.append(sum(isinstance(m, SparseConv2d) for m in runner.model.modules()))
    assert kinds[0] == 0 < kinds[1]
    assert metrics[0].keys() == metrics[1].keys() and metrics[0]
    assert all(abs(metrics[0][key] - metrics[1][key]) <= 1e-3 for key in metrics[0])


def test_the_libraries_own_inferencers_go_on_working(tmp_path, monkeypatch):
    from mmdet.apis import DetInferencer, inference_detector, init_detector
    from mmpose.apis import MMPoseInferencer, inference_topdown
    from mmpose.apis.inference import dataset_meta_from_config
    monkeypatch.setattr(convert, 'GAIN', inf)
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    name = MODELS['no anchors'][0]
    model, batch = pruned('no anchors')
    load_config(name).dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'weights.pth')
    inferencer = DetInferencer(str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth'),
                               device='cpu', show_progress=False)
    expected = inferencer(image, pred_score_thr=0)['predictions'][0]['scores']
    sparsify(inferencer.model, batch)
    found = inferencer(image, pred_score_thr=0)['predictions'][0]['scores']
    assert any(isinstance(m, SparseConv2d) for m in inferencer.model.modules())
    assert np.allclose(found[:20], expected[:20], atol=1e-3)
    detector = init_detector(str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth'),
                             device='cpu')
    expected = inference_detector(detector, image).pred_instances.scores
    sparsify(detector, batch)
    found = inference_detector(detector, image).pred_instances.scores
    assert any(isinstance(m, SparseConv2d) for m in detector.modules())
    assert len(found) == len(expected) and torch.allclose(found, expected, atol=1e-3)

    model, batch = pruned('top-down RTM')
    model.cfg = load_config(MODELS['top-down RTM'][0])
    model.dataset_meta = dataset_meta_from_config(model.cfg, 'test')
    expected = inference_topdown(model, image)[0].pred_instances
    sparsify(model, batch)
    found = inference_topdown(model, image)[0].pred_instances
    assert np.allclose(found.keypoint_scores, expected.keypoint_scores, atol=1e-3)
    torch.save(dict(state_dict=pruned('top-down RTM')[0].state_dict(), meta={}),
               tmp_path / 'pose.pth')
    model.cfg.dump(tmp_path / 'pose.py')
    inferencer = MMPoseInferencer(pose2d=str(tmp_path / 'pose.py'), device='cpu',
                                  pose2d_weights=str(tmp_path / 'pose.pth'),
                                  det_model='whole_image')
    sparsify(inferencer.inferencer.model, batch)
    same = next(inferencer(image))['predictions'][0][0]
    assert np.allclose(same['keypoints'], expected.keypoints[0], atol=0.1)
    assert any(isinstance(m, SparseConv2d) for m in inferencer.inferencer.model.modules())
