"""The models on digits: one backbone in all, what their overrides prune, and their training."""
import functools
import json
from itertools import count
from pathlib import Path

import pytest
import torch
from mmengine.registry import RUNNERS

from mmlth.core import prunable, select
from mmlth.datasets import make_digits
from mmlth.engine.config import load_config
from mmlth.engine.preview import build_model
from mmlth.transfer import match_names

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'lth'
R_CNN = ('faster_rcnn_r18_digits', 'mask_rcnn_r18_digits', 'keypoint_rcnn_r18_digits')
SIZED = (*R_CNN, 'td_hm_r18_digits')
CROPS = 'resnet18_digit_crops'
C4 = 'faster_rcnn_r18_c4_digits_pretrained'
# The metric of each small model, and the last layer of its branch.
SMALL = dict(
    faster_rcnn_r18_digits_small='coco/bbox_mAP',
    mask_rcnn_r18_digits_small='coco/segm_mAP',
    keypoint_rcnn_r18_digits_small='coco/keypoints_mAP',
    td_hm_r18_digits_small='coco/AP',
    faster_rcnn_r18_c4_digits_pretrained='coco/bbox_mAP',
    resnet18_digit_crops='accuracy/top1')
BRANCH = dict(
    mask_rcnn_r18_digits='roi_head.mask_head.conv_logits.weight',
    keypoint_rcnn_r18_digits='roi_head.keypoint_head.deconv.weight')
BOX_LAST = {'rpn_head.rpn_cls.weight', 'rpn_head.rpn_reg.weight',
            'roi_head.bbox_head.fc_cls.weight', 'roi_head.bbox_head.fc_reg.weight'}
NUMBER = count()


def read(name):
    if name.startswith(CROPS):
        pytest.importorskip('mmpretrain.models')
    return load_config(str(CONFIGS / f'{name}.py'))


@functools.lru_cache(maxsize=None)
def build(name):
    return build_model(read(name))


def shapes(name, part=''):
    return {key: tuple(value.shape) for key, value in build(name).state_dict().items()
            if key.startswith(part)}


@pytest.mark.parametrize('name', [*SIZED, CROPS])
def test_all_have_one_backbone(name):
    """So that the ticket of one fits the backbone of every other, by names and shapes."""
    backbone = shapes('faster_rcnn_r18_digits', 'backbone.')
    assert backbone['backbone.conv1.weight'] == (16, 3, 7, 7)
    assert backbone['backbone.layer4.1.conv2.weight'] == (128, 128, 3, 3)
    assert shapes(name, 'backbone.') == backbone


def test_masks_and_keypoints_agree_till_the_branch():
    mask, keypoint = shapes(R_CNN[1]), shapes(R_CNN[2])
    only_one = {key.rsplit('.', 1)[0].split('.')[1] for key in mask.keys() ^ keypoint.keys()}
    assert only_one == {'mask_head', 'keypoint_head'}
    common = {key: mask[key] for key in mask if key in keypoint}
    assert common == {key: keypoint[key] for key in common} == shapes(R_CNN[0])


@pytest.mark.parametrize('name', SIZED)
def test_small_scenes_have_the_same_weights(name):
    assert shapes(f'{name}_small') == shapes(name)


@pytest.mark.parametrize('name', [
    *SIZED, *(f'{name}_small' for name in SIZED), *(f'{name}_pretrained' for name in SIZED), C4,
    CROPS, 'faster_rcnn_r18_digits_demo'])
def test_ticket_config_is_dense_plus_override(name):
    config, ticket = read(name).to_dict(), read(f'{name}_prune80').to_dict()
    assert ticket.pop('runner_type') == 'mmlth.LotteryRunner'
    for hook in ('rewind', 'prune'):
        assert hook not in config['default_hooks'] and ticket['default_hooks'].pop(hook)
    config['optim_wrapper'].pop('type'), ticket['optim_wrapper'].pop('type')
    assert ticket == config


@pytest.mark.parametrize('name, sparsity', [
    *((f'{name}_prune80', 0.8) for name in (*SMALL, *SIZED)), (f'{CROPS}_prune50', 0.5),
    (f'{CROPS}_prune90', 0.9)])
def test_sparsities(name, sparsity):
    assert read(name).default_hooks.prune.sparsity == sparsity


@pytest.mark.parametrize('name', BRANCH)
def test_scope_leaves_out_last_layers_and_shortcuts_only(name):
    model = build(name)
    scope = read(f'{name}_prune80').default_hooks.prune.scope
    assert scope == read(f'{name}_small_prune80').default_hooks.prune.scope
    out = prunable(model).keys() - select(model, scope)
    shortcuts = {f'backbone.layer{i}.0.downsample.0.weight' for i in (2, 3, 4)}
    assert out == BOX_LAST | {BRANCH[name]} | shortcuts


def test_scope_of_poses():
    model = build('td_hm_r18_digits')
    scope = read('td_hm_r18_digits_prune80').default_hooks.prune.scope
    assert prunable(model).keys() - select(model, scope) == {'head.final_layer.weight'}


def test_scope_of_crops_is_the_paper_s():
    model = build(CROPS)
    scope = read(f'{CROPS}_prune80').default_hooks.prune.scope
    assert prunable(model).keys() - select(model, scope) == {
        'head.fc.weight', 'backbone.conv1.weight',
        *(f'backbone.layer{i}.0.downsample.0.weight' for i in (2, 3, 4))}


def test_both_libraries_measure_keypoints_alike():
    detector, pose = read(R_CNN[2]), read('td_hm_r18_digits')
    ours = detector.val_dataloader.dataset.metainfo
    theirs = pose.val_dataloader.dataset.metainfo
    assert list(ours.sigmas) == theirs.sigmas
    assert list(ours.keypoint_names) == [
        theirs.keypoint_info[i]['name'] for i in range(len(ours.sigmas))]


TRANSFERS = dict(
    {f'{kind}_rcnn_r18_digits_small_from_crops{n}': f'{CROPS}_prune{n}'
     for kind in ('faster', 'mask') for n in (50, 80, 90)},
    mask_rcnn_r18_digits_small_from_keypoint80='keypoint_rcnn_r18_digits_small_prune80',
    keypoint_rcnn_r18_digits_small_from_mask80='mask_rcnn_r18_digits_small_prune80')


@pytest.mark.parametrize('name, source', TRANSFERS.items())
def test_transfers_find_their_source_and_fill_what_it_has(name, source):
    cfg = read(f'transfer/{name}')
    spec = cfg.default_hooks.prune.transfer
    assert Path(spec.source).parts[:3] == ('work_dirs', source, 'round_1')
    assert cfg.model == read(name.split('_from_')[0]).model
    theirs, ours = shapes(source), shapes(f'transfer/{name}')
    places = match_names(list(theirs), list(ours), spec.mapping)
    assert all(theirs[there] == ours[here] for there, here in places.items())
    parts = ('backbone.', ) if 'crops' in name else ('backbone.', 'neck.', 'rpn_head.')
    assert set(places.values()) == {key for key in ours if key.startswith(parts)}


@pytest.mark.parametrize('kind', ['faster', 'mask'])
def test_dense_models_begin_with_the_dense_classifier(kind):
    cfg = read(f'transfer/{kind}_rcnn_r18_digits_small_from_crops')
    start = cfg.model.backbone.pop('init_cfg')
    assert start.checkpoint.split('/')[1:] == [f'{CROPS}_prune80', 'round_0', 'final.pth']
    base = read(f'{kind}_rcnn_r18_digits_small')
    assert base.model.backbone.pop('init_cfg') is None
    assert cfg.model == base.model
    direct = read(f'transfer/{kind}_rcnn_r18_digits_small_from_crops_prune80')
    assert direct.default_hooks.prune.scope == read(f'{CROPS}_prune80').default_hooks.prune.scope


@pytest.mark.parametrize('name', [*(f'{name}_pretrained' for name in SIZED), C4])
def test_the_models_of_studies_begin_with_the_whole_dense_classifier(name):
    model = read(name).model
    parts = {'backbone.': model.backbone}
    if name == C4:      # layer4 is the head's
        parts['roi_head.shared_head.'] = model.roi_head.shared_head
    start = dict(type='Pretrained', prefix='backbone.',
                 checkpoint=f'work_dirs/{CROPS}_prune80/round_0/final.pth')
    assert all(part.init_cfg == start for part in parts.values())
    ours = {key[len(part):]: shape for part in parts for key, shape in shapes(name, part).items()}
    assert ours == {key[len('backbone.'):]: shape
                    for key, shape in shapes(CROPS, 'backbone.').items()}


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    return make_digits(tmp_path_factory.mktemp('digits') / 'digits', train=12, val=3, size=64)


def tiny_lottery(name, scenes, work_dir, iters=3):
    cfg = read(f'{name}_prune80')
    cfg.work_dir, cfg.experiment_name = str(work_dir), f'digits_{next(NUMBER)}'
    cfg.latency = False     # its measurement takes longer than these trainings
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.batch_size = 2
        loader.dataset.get('dataset', loader.dataset).data_root = f'{scenes}/'
    for part in (cfg.model.backbone, cfg.model.get('roi_head', {}).get('shared_head', {})):
        part['init_cfg'] = None
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        if 'ann_file' in evaluator:
            evaluator.ann_file = str(scenes / 'annotations/instances_val.json')
    cfg.train_cfg.update(max_iters=iters, val_interval=iters)
    cfg.param_scheduler = [dict(type='ConstantLR', factor=1., by_epoch=False)]
    cfg.default_hooks.checkpoint.interval = iters
    cfg.default_hooks.rewind.to = '1it'
    cfg.visualizer.name = cfg.experiment_name
    if 'roi_head' in cfg.model:     # without any detection there would be no metrics
        cfg.model.test_cfg.rcnn.score_thr = 0.
    return cfg


@pytest.mark.slow
@pytest.mark.parametrize('name', SMALL)
def test_two_rounds(name, scenes, tmp_path):
    cfg = tiny_lottery(name, scenes, tmp_path)
    model = RUNNERS.build(cfg).train()
    rounds = json.loads((tmp_path / 'lottery.json').read_text())['rounds']
    assert [entry['status'] for entry in rounds] == ['done', 'done']
    assert [entry['scope_sparsity'] for entry in rounds] == pytest.approx([0, 0.8], abs=1e-3)
    assert all(0 <= entry['metrics'][SMALL[name]] <= 100 for entry in rounds)
    pruned = select(model, cfg.default_hooks.prune.scope)
    zeros = sum(int((weight == 0).sum()) for weight in pruned.values())
    assert zeros >= round(0.8 * sum(weight.numel() for weight in pruned.values()))
    assert all(torch.isfinite(weight).all() for weight in model.state_dict().values())
