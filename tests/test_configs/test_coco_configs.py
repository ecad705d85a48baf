"""Mask R-CNN on COCO against the paper's tables, the overrides of MMPose's models, the index."""
import copy
import functools
import json
import re
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, RUNNERS

from mmlth.core import paths, prunable, select
from mmlth.engine import MaskedOptimWrapper, PruneHook, RewindHook
from mmlth.engine.config import load_config
from mmlth.engine.preview import build_model, preview

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'lth'
DENSE = ('mask_rcnn_r18_coco', 'mask_rcnn_r50_coco')
MASK_TICKETS = [(dense, percent) for dense in DENSE for percent in (50, 80, 90)]
POSES = dict(
    td_hm_r50_coco_prune80='topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py',
    rtmpose_s_coco_prune80='rtmpose/coco/rtmpose-s_8xb256-420e_coco-256x192.py')
TICKETS = [*(f'{dense}_prune{percent}' for dense, percent in MASK_TICKETS), *POSES]
RESIDUALS = ['base', 'top']
LAST = {'rpn_head.rpn_cls.weight', 'rpn_head.rpn_reg.weight', 'roi_head.bbox_head.fc_cls.weight',
        'roi_head.bbox_head.fc_reg.weight', 'roi_head.mask_head.conv_logits.weight'}


@functools.lru_cache(maxsize=None)
def read(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def load(name):
    return copy.deepcopy(read(name))


@functools.lru_cache(maxsize=None)
def build(name):
    return build_model(read(name))


def scope(name):
    return read(name).default_hooks.prune.scope


def network_sparsity(name, sparsity, spec):
    """In percent, as the tables print it, were ``spec`` pruned."""
    model = build(name)
    pruned = sum(p.numel() for p in select(model, spec).values())
    return 100 * sparsity * pruned / sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize('name, sparsity, expected', [
    (DENSE[0], 0.5, 17.57), (DENSE[0], 0.8, 28.10), (DENSE[0], 0.9, 31.61),
    (DENSE[1], 0.8, 37.33), (DENSE[1], 0.9, 41.99)])
def test_backbone_tickets_have_the_sparsity_of_tables_1_and_2(name, sparsity, expected):
    assert network_sparsity(name, sparsity, RESIDUALS) == pytest.approx(expected, abs=0.1)


def test_paper_prunes_no_shortcuts():
    for name, expected in zip(DENSE, (31.61, 41.99)):
        found = network_sparsity(name, 0.9, [*RESIDUALS, 'downsample'])
        assert abs(found - expected) > 0.4


def test_everything_pruned_is_that_of_table_4():
    result = preview(read(f'{DENSE[0]}_prune80'))
    assert 100 * result['network_sparsity'] == pytest.approx(78.4, abs=0.05)
    # The paper prints no such number of ResNet-50, whose shortcuts are larger.
    result = preview(read(f'{DENSE[1]}_prune80'))
    assert 100 * result['network_sparsity'] == pytest.approx(74.12, abs=0.01)


@pytest.mark.parametrize('kept', [
    dict(), dict(exclude=[r'\.downsample\.']),
    dict(exclude=[r'\.rpn_(cls|reg)\.', r'\.fc_(cls|reg)\.', r'\.conv_logits\.']),
    dict(exclude=[r'\.downsample\.', r'\.rpn_(cls|reg)\.', r'\.fc_(cls|reg)\.',
                  r'\.conv_logits\.', r'\.upsample\.'])],
    ids=['everything', 'no_shortcuts', 'no_last_layers', 'no_mask_deconvolution'])
def test_no_other_scope_is_that_of_table_4(kept):
    assert abs(network_sparsity(DENSE[0], 0.8, kept) - 78.4) > 0.4


def test_table_4_cannot_tell_the_stem():
    """Its 9,408 weights are below the last digit printed: the paper's code decides."""
    spec = scope(f'{DENSE[0]}_prune80').to_dict()
    spec['exclude'].append(r'backbone\.conv1\.')
    assert network_sparsity(DENSE[0], 0.8, spec) == pytest.approx(78.4, abs=0.05)


@pytest.mark.parametrize('dense', DENSE)
def test_scope_leaves_out_last_layers_and_shortcuts_only(dense):
    model, spec = build(dense), scope(f'{dense}_prune80')
    pruned = set(select(model, spec))
    out = set(prunable(model)) - pruned
    shortcuts = {name for name in out if re.search(r'layer\d\.0\.downsample\.0\.weight', name)}
    assert out == LAST | shortcuts
    assert len(shortcuts) == (3 if 'r18' in dense else 4)
    assert {'backbone.conv1.weight', 'rpn_head.rpn_conv.weight',
            'roi_head.bbox_head.shared_fcs.1.weight',
            'roi_head.mask_head.upsample.weight'} <= pruned


@pytest.mark.parametrize('name, last', [
    ('td_hm_r50_coco_prune80', {'head.final_layer.weight'}),
    ('rtmpose_s_coco_prune80', {'head.cls_x.weight', 'head.cls_y.weight'})])
def test_pose_scopes_leave_out_the_last_layers_only(name, last):
    model = build(name)
    assert set(prunable(model)) - set(select(model, scope(name))) == last


@pytest.mark.parametrize('name', TICKETS)
def test_pieces_are_found(name):
    """Also where the base, of another package, sets a registry scope of its own."""
    cfg = load(name)
    assert cfg.runner_type == 'mmlth.LotteryRunner'
    model = build(name.replace('_prune50', '_prune80').replace('_prune90', '_prune80'))
    assert type(build_optim_wrapper(model, cfg.optim_wrapper)) is MaskedOptimWrapper
    assert type(HOOKS.build(cfg.default_hooks.rewind)) is RewindHook
    assert type(HOOKS.build(cfg.default_hooks.prune)) is PruneHook
    result = preview(cfg)
    assert result['scope_sparsity'] == pytest.approx(int(name[-2:]) / 100, abs=1e-6)


def plain(config):
    """As a dict, without the registry scopes that bases of a package come with."""
    if isinstance(config, dict):
        return {key: plain(value) for key, value in config.items() if key != '_scope_'}
    return [plain(item) for item in config] if isinstance(config, list) else config


def without_override(name, percent, **more):
    """The ticket's config less its override, which is checked."""
    ticket = plain(load(name).to_dict())
    assert ticket.pop('runner_type') == 'mmlth.LotteryRunner'
    assert ticket['optim_wrapper'].pop('type') == 'mmlth.MaskedOptimWrapper'
    assert ticket['default_hooks'].pop('rewind') == dict(
        type='mmlth.RewindHook', to='5%', schedule='restart')
    assert ticket['default_hooks'].pop('prune') == dict(
        type='mmlth.PruneHook', sparsity=percent / 100, rounds=1, allocation='global',
        scope=plain(scope(name).to_dict()), **more)
    return ticket


@pytest.mark.parametrize('dense, percent', MASK_TICKETS)
def test_ticket_config_is_dense_plus_override(dense, percent):
    config = plain(load(dense).to_dict())
    assert config['optim_wrapper'].pop('type') == 'OptimWrapper'
    assert without_override(f'{dense}_prune{percent}', percent) == config


@pytest.mark.parametrize('name', POSES)
def test_pose_ticket_is_stock_plus_override(name):
    """Optimizer, paramwise options, schedule, EMA and every other hook are the stock ones."""
    stock = plain(load_config(f'mmpose::body_2d_keypoint/{POSES[name]}').to_dict())
    stock['optim_wrapper'].pop('type', None)
    assert without_override(name, 80, floor=0.1) == stock
    assert stock['custom_hooks'] and stock['optim_wrapper']['optimizer']['type'] in (
        'Adam', 'AdamW')


def test_dense_configs_are_stock():
    stock = plain(load_config('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py').to_dict())
    r50, r18 = plain(load(DENSE[1]).to_dict()), plain(load(DENSE[0]).to_dict())
    for config in (r50, r18):
        assert config.pop('randomness') == dict(seed=0)
        assert config['default_hooks']['checkpoint'].pop('max_keep_ckpts') == 2
    assert r50 == stock
    assert r18['model']['neck'].pop('in_channels') == [64, 128, 256, 512]
    stock['model']['neck'].pop('in_channels')
    backbone = dict(depth=18, init_cfg=dict(
        type='Pretrained', checkpoint='torchvision://resnet18'))
    stock['model']['backbone'].update(backbone)
    assert r18 == stock


def test_every_config_is_in_the_metafile():
    models = yaml.safe_load((CONFIGS / 'metafile.yml').read_text())['Models']
    listed = [model['Config'] for model in models]
    assert sorted(listed) == sorted(f'configs/lth/{path.name}' for path in CONFIGS.glob('*.py'))
    assert [model['Name'] for model in models] == [Path(config).stem for config in listed]


SMALL = dict(  # a hundred times fewer weights
    backbone=dict(base_channels=8, stem_channels=8, init_cfg=None, frozen_stages=-1,
                  norm_eval=False),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=32),
        mask_roi_extractor=dict(out_channels=16),
        mask_head=dict(in_channels=16, conv_out_channels=16)),
    train_cfg=dict(rpn_proposal=dict(max_per_img=50), rcnn=dict(sampler=dict(num=32))),
    # Without any detection there would be no metrics.
    test_cfg=dict(rpn=dict(max_per_img=50), rcnn=dict(max_per_img=10, score_thr=0.)))


def small_lottery(root, work_dir):
    """Rounds of one epoch of two iterations on four images of 160x120."""
    cfg = load('mask_rcnn_r18_coco_prune80')
    cfg.merge_from_dict(dict(model=SMALL))
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(root), indices=4)
        [resize] = [step for step in loader.dataset.pipeline if step.type == 'Resize']
        resize.scale = (160, 120)
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    cfg.val_evaluator.ann_file = str(root / cfg.val_dataloader.dataset.ann_file)
    cfg.train_cfg.max_epochs = 1
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=2)]
    cfg.default_hooks.rewind.to = '1it'
    cfg.work_dir, cfg.latency = str(work_dir), False
    return cfg


@pytest.mark.slow
def test_mask_rcnn_lottery(real_data, tmp_path):
    model = RUNNERS.build(small_lottery(real_data / 'coco80', tmp_path)).train()
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert [entry['status'] for entry in rounds] == ['done', 'done']
    assert [entry['scope_sparsity'] for entry in rounds] == pytest.approx([0, 0.8], abs=1e-4)
    for entry in rounds:
        assert {'coco/bbox_mAP', 'coco/segm_mAP'} <= set(entry['metrics'])
    weights = dict(model.named_parameters())
    assert all((weights[name] != 0).all() for name in LAST)
    assert (weights['roi_head.mask_head.upsample.weight'] == 0).any()
