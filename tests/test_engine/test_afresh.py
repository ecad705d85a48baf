"""control='fresh_weights': nothing learnt, and nothing stays as it began."""
import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmlth.core.errors import UserError
from mmlth.engine.afresh import check_afresh
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.preflight import check_settings
from mmlth.engine.chain.rounds import round_config
from mmlth.engine.config import load_config
from mmlth.engine.preview import build_model

CONFIGS = Path(__file__).parents[2] / 'configs/lth'


def fresh_model(name, tmp_path):
    """What the last round of such a lottery trains, initialised."""
    cfg = load_config(str(CONFIGS / f'{name}.py'))
    cfg.default_hooks.prune.control = 'fresh_weights'
    check_settings(cfg)
    init_default_scope('mmdet')
    model = build_model(round_config(cfg, LotterySpec.of(cfg), tmp_path, 1, 0))
    model.init_weights()
    return model.train()


@pytest.mark.parametrize('name', ['mask_rcnn_r18_coco_prune80', 'mask_rcnn_r50_coco_prune80',
                                  'faster_rcnn_r18_voc_prune80', 'keypoint_rcnn_r18_coco_prune80'])
def test_every_convolution_of_the_backbone_learns(name, tmp_path):
    """At the second step at the latest: zero_init_residual has a block wait for its norm."""
    torch.manual_seed(0)
    model = fresh_model(name, tmp_path)
    backbone = nn.Sequential(model.backbone)
    if getattr(model.roi_head, 'with_shared_head', False):      # C4: the last stage is there
        backbone.append(nn.Module())
        backbone[1].shared = model.roi_head.shared_head
    convs = {n: m.weight for n, m in backbone.named_modules() if isinstance(m, nn.Conv2d)}
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(m.training for m in norms)
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        outputs = model.backbone(torch.randn(2, 3, 64, 64))
        if len(backbone) > 1:
            outputs = [model.roi_head.shared_head(outputs[-1])]
        sum((out * torch.randn_like(out)).sum() for out in outputs).backward()
        dead = [n for n, w in convs.items() if w.grad is None or not w.grad.any()]
        optimizer.step()
    assert len(convs) > 15 and not dead


def small(**model):
    """A detector's config whose pretraining hides somewhere."""
    cfg = load_config(str(CONFIGS / 'faster_rcnn_r18_digits_small_prune80.py'))
    cfg.default_hooks.prune.control = 'fresh_weights'
    cfg.merge_from_dict(dict(model=model))
    return cfg


@pytest.mark.parametrize('model, named', [
    (dict(language_model=dict(type='BertModel', name='bert-base-uncased')),
     'model.language_model is .bert-base-uncased'),
    (dict(teacher_ckpt='a/teacher.pth'), 'model.teacher_ckpt'),
    (dict(lang_model_name='bert-base-uncased'), 'model.lang_model_name'),
    (dict(bbox_head=dict(zs_weight_path='data/lvis_clip.npy')), 'model.bbox_head.zs_weight_path'),
    (dict(text_embed_path='embeddings'), 'model.text_embed_path'),
    (dict(heads=[dict(pretrained_model_name='clip')]), 'model.heads.0.pretrained_model_name')])
def test_what_brings_learnt_weights_is_refused_by_name(model, named):
    with pytest.raises(UserError, match=named):
        check_settings(small(**model))


class Frozen(nn.Module):
    """Its author freezes it whatever the config says."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)
        self.norm = nn.BatchNorm2d(1).requires_grad_(False)


def test_what_cannot_be_let_train_is_refused_by_name():
    cfg = small(backbone=dict(pretrained='torchvision://resnet18'))
    with pytest.raises(UserError, match='2 parameters do not train, the first is norm.weight. '
                                        'Without any weights, nothing may stay fixed'):
        check_afresh(cfg, lambda cfg: Frozen())


def test_all_spellings_are_taken_away_and_let_train():
    backbone = dict(
        type='mmdet.SwinTransformer', frozen_stages=2,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True, pretrained=True, parts=[dict(pretrained='x'), dict(freeze_patch=True)],
        init_cfg=[dict(type='Pretrained', checkpoint='y'), dict(type='Kaiming', layer='Conv2d')])
    cfg = small()
    cfg.model.backbone = copy.deepcopy(backbone)
    cfg.load_from = 'z.pth'
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=dict(a=dict(lr_mult=0), b=dict(lr_mult=.1)))
    seen = []
    check_afresh(cfg, lambda cfg: seen.append(cfg) or nn.Linear(1, 1))
    fresh, = seen
    assert fresh.load_from is None and fresh.model.backbone == dict(
        type='mmdet.SwinTransformer', frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False, pretrained=False, parts=[dict(pretrained=None), dict(freeze_patch=False)],
        init_cfg=[dict(type='Kaiming', layer='Conv2d')])
    assert {k: v.lr_mult for k, v in fresh.optim_wrapper.paramwise_cfg.custom_keys.items()} == dict(
        a=1, b=.1)
    assert cfg.load_from == 'z.pth' and cfg.model.backbone == Config(dict(a=backbone)).a
    cfg.custom_hooks = [dict(type='FreezeHook')]
    with pytest.raises(UserError, match='FreezeHook keeps weights as they begin'):
        check_afresh(cfg, lambda cfg: nn.Linear(1, 1))


def test_a_model_that_was_not_pretrained_stays_as_its_config_says():
    cfg, seen = small(backbone=dict(frozen_stages=1)), []
    check_afresh(cfg, seen.append)      # the dense model has such random stages too
    assert not seen
