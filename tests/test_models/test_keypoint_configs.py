"""Sizes of the paper's keypoint models, and the overrides."""
import functools
import re

import pytest
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from small_keypoint_rcnn import load

from mmlth.core import prunable, select

DENSE = ('keypoint_rcnn_r18_coco', 'keypoint_rcnn_r50_coco')
TICKETS = [(dense, percent) for dense in DENSE for percent in (50, 80, 90)]


@functools.lru_cache(maxsize=None)
def build(name):
    register_all_modules()
    model = load(name).model
    model.backbone.init_cfg = None  # nothing may be downloaded
    return MODELS.build(model)


def percent_of_network(name, weights):
    total = sum(p.numel() for p in build(name).parameters())
    return 100 * sum(p.numel() for p in weights.values()) / total


@pytest.mark.parametrize('name, sparsity, network_sparsity', [
    (DENSE[0], 0.5, 11.94), (DENSE[0], 0.8, 19.09), (DENSE[0], 0.9, 21.47),
    (DENSE[1], 0.8, 28.00), (DENSE[1], 0.9, 31.49)])
def test_backbone_tickets_have_the_sparsity_of_tables_1_and_2(name, sparsity, network_sparsity):
    share = percent_of_network(name, select(build(name), ['base', 'top']))
    assert sparsity * share == pytest.approx(network_sparsity, abs=0.15)


def scope():
    return load('keypoint_rcnn_r18_coco_prune80').default_hooks.prune.scope


def test_everything_pruned_is_that_of_table_4():
    """79.4 % of the network at 80 %: all but shortcuts and each branch's last layer."""
    model = build(DENSE[0])
    assert 0.8 * percent_of_network(DENSE[0], select(model, scope())) == pytest.approx(
        79.4, abs=0.05)


def test_deconvolution_is_the_predictor():
    """Were it pruned, the paper would print 79.7; with a 1x1 predictor behind it, 19.7 and 28."""
    model = build(DENSE[0])
    weight = model.roi_head.keypoint_head.deconv.weight
    assert weight.shape == (512, 17, 4, 4)
    with_it = {**select(model, scope()), 'deconv': weight}
    assert 0.8 * percent_of_network(DENSE[0], with_it) > 79.6
    total = sum(p.numel() for p in model.parameters())
    backbone = sum(p.numel() for p in select(model, ['base', 'top']).values())
    wider = total - weight.numel() + 512 * 512 * 16 + 512 + 512 * 17
    assert abs(90 * backbone / wider - 21.47) > 1.5


def test_paper_prunes_no_shortcuts():
    model = build(DENSE[0])
    share = percent_of_network(DENSE[0], select(model, ['base', 'top', 'downsample']))
    assert abs(0.9 * share - 21.47) > 0.15


@pytest.mark.parametrize('dense', DENSE)
def test_scope_leaves_out_last_layers_and_shortcuts_only(dense):
    model = build(dense)
    left_out = set(prunable(model)) - set(select(model, scope()))
    assert {name for name in left_out if 'downsample' not in name} == {
        'rpn_head.rpn_cls.weight', 'rpn_head.rpn_reg.weight', 'roi_head.bbox_head.fc_cls.weight',
        'roi_head.bbox_head.fc_reg.weight', 'roi_head.keypoint_head.deconv.weight'}
    assert all(re.search(r'layer\d\.0\.downsample\.0', n) for n in left_out if 'downsample' in n)


def test_keypoint_group():
    model = build(DENSE[0])
    assert list(select(model, ['keypoint_head'])) == [
        *(f'roi_head.keypoint_head.convs.{i}.conv.weight' for i in range(8)),
        'roi_head.keypoint_head.deconv.weight']


@pytest.mark.parametrize('dense', DENSE)
def test_dense_config_needs_no_lottery(dense):
    cfg = load(dense)
    assert 'runner_type' not in cfg and cfg.optim_wrapper.type == 'OptimWrapper'
    assert cfg.default_scope == 'mmdet' and 'custom_imports' not in cfg
    depth = int(dense.split('_r')[2][:2])
    assert cfg.model.backbone.depth == depth
    assert cfg.model.backbone.init_cfg.checkpoint == f'torchvision://resnet{depth}'


@pytest.mark.parametrize('dense, percent', TICKETS)
def test_ticket_config_is_dense_plus_override(dense, percent):
    config, ticket = load(dense).to_dict(), load(f'{dense}_prune{percent}').to_dict()
    assert ticket.pop('runner_type') == 'mmlth.LotteryRunner'
    assert ticket['optim_wrapper'].pop('type') == 'mmlth.MaskedOptimWrapper'
    assert config['optim_wrapper'].pop('type') == 'OptimWrapper'
    assert ticket['default_hooks'].pop('rewind') == dict(
        type='mmlth.RewindHook', to='5%', schedule='restart')
    assert ticket['default_hooks'].pop('prune') == dict(
        type='mmlth.PruneHook', sparsity=percent / 100, rounds=1, allocation='global',
        scope=scope().to_dict())
    assert ticket == config
