"""Detectors and pose models of several families, sparse: the same predictions."""
import copy
from math import inf

import pytest
import torch
from mmengine.model import BaseModel
from torch import nn

from mmlth.core import draw, select, transposed
from mmlth.engine.config import load_config
from mmlth.engine.example import example
from mmlth.engine.latency import latency, to_text
from mmlth.engine.preview import build_model
from mmlth.sparse import SparseConv2d, convert, ops, sparsify

pytestmark = pytest.mark.skipif(ops.unavailable() is not None, reason=str(ops.unavailable()))
POSE = 'mmpose::body_2d_keypoint/'
MODELS = [
    ('configs/lth/faster_rcnn_r18_digits.py', (96, 128)),
    ('mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', (96, 128)),
    ('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', (128, 128)),
    ('mmdet::yolox/yolox_tiny_8xb8-300e_coco.py', (128, 128)),
    (POSE + 'rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py', (256, 192)),
    (POSE + 'topdown_heatmap/coco/td-hm_mobilenetv2_8xb64-210e_coco-256x192.py', (256, 192))]


def pruned(name, shape):
    """A model of random weights whose batch norms know its activations, and a batch."""
    torch.manual_seed(0)
    cfg = load_config(name)
    keep_all(cfg.model)
    model, batch = build_model(cfg), example(cfg, None, shape)
    weights = select(model)
    mask = draw(weights, 0.8, allocation='layerwise', transposed=transposed(model))
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
    """Scores, highest first, and what else the model says, in that order."""
    with torch.no_grad():
        found = model.test_step(copy.deepcopy(batch))[0].pred_instances
    if 'keypoints' in found:
        return torch.as_tensor(found.keypoint_scores), torch.as_tensor(found.keypoints)
    return found.scores, found.bboxes


@pytest.mark.parametrize('name, shape', MODELS, ids=lambda value: str(value).split('/')[-1][:20])
def test_the_same_predictions(name, shape, monkeypatch):
    monkeypatch.setattr(convert, 'GAIN', inf)
    model, batch = pruned(name, shape)
    scores, places = predictions(model, batch)
    features = model.extract_feat(model.data_preprocessor(batch, False)['inputs'])
    report = sparsify(model, copy.deepcopy(batch))
    assert sum(isinstance(m, SparseConv2d) for m in model.modules()) >= 10
    assert report.folded >= 10 or 'retinanet' in name or 'rcnn' in name
    for a, b in zip(features, model.extract_feat(
            model.data_preprocessor(batch, False)['inputs'])):
        assert (a - b).abs().max() <= 1e-4 * a.abs().max()
    found_scores, found_places = predictions(model, batch)
    assert len(scores) > 0 and abs(len(scores) - len(found_scores)) <= len(scores) // 50
    # Nearly equal scores may change places, and an NMS at its threshold its mind.
    distance = torch.cdist(places.flatten(1).double(), found_places.flatten(1).double())
    assert (distance.min(1).values < 0.1).float().mean() > 0.95
    both = min(len(scores), len(found_scores))
    assert torch.allclose(scores[:both], found_scores[:both], atol=1e-3)


def test_latency_of_a_model():
    model, batch = pruned(*MODELS[0])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = latency(model, batch, threads=1, repeats=2, compiled=False)
    assert {'dense_ms', 'sparse_ms', 'speedup', 'max_relative_difference', 'threads',
            'layers'} <= set(result)
    assert set(result['layers'][0]) >= {'name', 'density', 'dense_ms', 'sparse_ms', 'chosen'}
    assert result['max_relative_difference'] < 1e-4
    assert set(result['forms']) == {'eager', 'channels_last', 'sparse'}
    assert {'backbone', 'rpn_head', 'roi_head', 'rest'} <= set(result['parts']['sparse'])
    assert result['speedup'] == result['dense_ms'] / result['sparse_ms']
    assert 'speed-up' in to_text(result)
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
