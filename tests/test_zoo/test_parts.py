"""The listing, the reasons, the outcome of one config, and the report."""
import os
import signal
import time

import pytest
import torch
from mmengine.config import Config
from real_configs import OVERRIDE
from torch import nn

from mmlth.core.errors import UserError
from mmlth.zoo import (
    Result, coverage, failures, from_dict, list_configs, to_dict, to_markdown, to_text)
from mmlth.zoo.coverage import adopt, fingerprint, in_turn, outline
from mmlth.zoo.light import light_building, working_in
from mmlth.zoo.listing import library_root
from mmlth.zoo.model_check import check_model
from mmlth.zoo.pool import run_each
from mmlth.zoo.result import FAILED, NO_MODEL, NOT_BUILT, NOT_TRAINED, PASSED, reason_of
from mmlth.zoo.scope_check import check_scope, missing_layers
from mmlth.zoo.settings_check import changes, derive_rounds

RETINANET = 'retinanet/retinanet_r18_fpn_1x_coco.py'


def stock(library, name):
    return Config.fromfile(str(library_root(library) / 'configs' / name))


@pytest.mark.parametrize('jobs, pattern, message', [
    (0, '', 'jobs: expected a whole number, at least 1, got 0'),
    (1, 'retinanett', "no config of mmdet, mmpose has a name that 'retinanett' is found in")])
def test_nothing_to_check_is_no_success(jobs, pattern, message):
    """It would wait for ever, or write an empty document over another."""
    with pytest.raises(UserError, match=message):
        coverage(['mmdet', 'mmpose'], str(OVERRIDE), pattern, jobs)


def test_the_listing_leaves_out_parts_and_keeps_order():
    names = list_configs('mmdet')
    assert len(names) > 800 and names == sorted(set(names))
    assert RETINANET in names
    assert not any(part in name.split('/') for name in names for part in ('_base_', '__pycache__'))
    assert len(list_configs('mmpose')) > 400
    assert list_configs('mmdet', r'retinanet_r18_fpn_1x_coco\.py$') == [RETINANET]


@pytest.mark.parametrize('library, pattern, message', [
    ('mmnothing', '', "no installed package 'mmnothing'"),
    ('mmdet', '(', 'no regular expression'),
    ('mmengine', '', 'ships no configs')])
def test_a_listing_that_cannot_be(library, pattern, message):
    with pytest.raises(UserError, match=message):
        list_configs(library, pattern)


def test_a_part_of_other_configs_is_no_model():
    with working_in(library_root('mmdet')):
        result, key = outline('mmdet', 'common/ms_3x_coco.py', OVERRIDE)
    assert (result.status, key) == (NO_MODEL, '')


def test_a_config_whose_base_is_missing_cannot_be_built():
    name = 'sort/faster-rcnn_r50_fpn_8xb2-4e_mot17train_test-mot17train.py'
    with working_in(library_root('mmdet')):
        result, key = outline('mmdet', name, OVERRIDE)
    assert (result.status, key) == (NOT_BUILT, '') and 'FileNotFoundError' in result.reason


def test_a_model_that_stock_cannot_build_is_told_with_its_reason(tmp_path):
    """A config with a mistake of its own: its head is built without a number of classes."""
    name = 'cascade_rpn/cascade-rpn_r50-caffe_fpn_1x_coco.py'
    result = check_model('mmdet', name, OVERRIDE, str(tmp_path))
    assert result.status == NOT_BUILT
    assert result.reason.startswith('TypeError: ') and 'num_classes' in result.reason


@pytest.mark.parametrize('library, name, missing', [
    ('mmpose', 'body_3d_keypoint/video_pose_lift/h36m/'
     'video-pose-lift_tcn-27frm-semi-supv_8xb64-200e_h36m.py',
     'train_cfg, train_dataloader, optim_wrapper.optimizer'),
    # Its optim_wrapper is None, into which nothing can be merged.
    ('mmdet', 'strongsort/strongsort_yolox_x_8xb4-80e_crowdhuman-mot20train_test-mot20test.py',
     'train_cfg, train_dataloader, optim_wrapper.optimizer'),
    ('mmdet', 'qdtrack/qdtrack_faster-rcnn_r50_fpn_4e_base.py', 'train_dataloader')])
def test_a_config_without_training_is_refused_in_one_message(library, name, missing):
    with working_in(library_root(library)):
        result, key = outline(library, name, OVERRIDE)
    assert result.status == NOT_TRAINED and key
    assert f'no training: {missing} is not set' in result.reason


def test_a_round_that_changes_the_training_is_found():
    expected = stock('mmdet', RETINANET)
    first, last = derive_rounds('mmdet', RETINANET, OVERRIDE)
    assert changes(expected, first, 0) == changes(expected, last, 1) == []
    first.param_scheduler.pop()
    first.optim_wrapper.optimizer.lr = 1.0
    first.default_hooks.pop('checkpoint')
    assert changes(expected, first, 0) == [
        'round 0 changes param_scheduler', 'round 0 loses the hook checkpoint',
        'round 0 changes optim_wrapper']
    assert changes(expected, last, 0) == [
        'round 0 lacks a PruneHook', 'round 0 lacks a RewindHook', 'round 0 has a TicketHook']


def test_what_makes_no_difference_to_the_weights_shares_a_check():
    key = fingerprint(stock('mmdet', RETINANET))
    same, wider, faster = (stock('mmdet', RETINANET) for _ in range(3))
    same.model.test_cfg.score_thr = 0.5
    same.model.backbone.init_cfg.checkpoint = 'elsewhere'
    same.train_dataloader.batch_size = 7
    wider.model.bbox_head.feat_channels = 512
    faster.optim_wrapper.optimizer.type = 'Adam'
    assert fingerprint(same) == key
    assert key not in {fingerprint(wider), fingerprint(faster)}


def test_models_are_built_without_work_or_files():
    weight = torch.full((3, 3), 7.0)
    with light_building():
        assert nn.init.zeros_(weight) is weight and bool((weight == 7).all())
        from mmengine.runner import load_checkpoint
        assert load_checkpoint(nn.Linear(2, 2), 'https://example.org/none.pth') == {
            'state_dict': {}}
    assert not nn.init.zeros_(weight).any()


def test_a_scope_that_is_not_sensible_is_found():
    model = nn.ModuleDict(dict(fc=nn.Linear(2, 2), conv=nn.Conv2d(2, 2, 1), bn1=nn.Linear(2, 2),
                               attention=nn.MultiheadAttention(4, 2), embed=nn.Embedding(3, 2)))
    weights = {n: p for n, p in model.named_parameters() if p.dim() > 1 and n[:2] not in 'bn em'}
    assert missing_layers(model, weights) == ['bn1.weight']
    weights.pop('attention.in_proj_weight')
    assert missing_layers(model, weights)[1:] == ['attention.in_proj_weight']
    with pytest.raises(UserError, match="lacks the layers.*bn1.weight"):
        check_scope(model, weights)
    for name in ('bn1.weight', 'backbone.norm2.weight', 'pos_embed.weight', 'teacher.fc.weight'):
        with pytest.raises(UserError, match='no weight of a layer'):
            check_scope(model, {name: model['bn1'].weight})


def test_the_error_at_the_bottom_is_the_reason():
    try:
        try:
            raise KeyError('the module\n is not  registered')
        except KeyError as error:
            raise ImportError('custom imports') from error
    except ImportError as error:
        assert reason_of(error) == 'KeyError: the module is not registered'
    wrapped = TypeError('class `Outer` in mmdet/a.py: class `Inner` in mmdet/b.py: no lr')
    assert reason_of(wrapped) == 'TypeError: no lr'
    assert len(reason_of(ValueError('x' * 999))) == 300


def act(what):
    if what == 'die':
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == 'sleep':
        time.sleep(60)
    elif what == 'raise':
        raise RuntimeError('no reason')
    elif what == 'grow':
        return bytearray(1 << 40)
    return what.upper()


def test_a_crash_ends_one_check_and_not_all():
    tasks = ['one', 'die', 'sleep', 'raise', 'grow', 'two']
    found = {tasks[number]: (value, problem) for number, value, problem, _ in
             run_each(act, [(t,) for t in tasks], jobs=2, timeout=1.5)}
    assert found['one'] == ('ONE', '') and found['two'] == ('TWO', '')
    assert found['die'] == (None, 'the process was killed by signal 9')
    assert found['sleep'] == (None, 'stopped after 2 s')
    assert found['raise'] == (None, 'RuntimeError: no reason')
    assert found['grow'][1].startswith('MemoryError')


RESULTS = [
    Result('mmdet', 'a/one.py', PASSED, checked='a/one.py', scope_weights=8, network_weights=10,
           in_scope=['Linear.weight']),
    Result('mmdet', 'a/two.py', FAILED, 'it moves', 'a/one.py', in_scope=['Linear.weight']),
    Result('mmdet', 'b/three.py', NOT_BUILT, 'ImportError: no lap in /x/y/z.py'),
    Result('mmdet', 'b/four.py', NOT_BUILT, 'ImportError: no lap in /q/z.py'),
    Result('mmdet', 'b/parts.py', NO_MODEL, 'has no model'),
    Result('mmpose', 'c/d/five.py', PASSED, checked='c/d/five.py', in_scope=['Linear.weight'])]


def test_the_report_counts_what_stock_can_build():
    text = to_text(RESULTS)
    assert 'mmdet: 1/2 configs passed (50.0%); they have 1 distinct network' in text
    assert 'FAILED a/two.py: it moves (checked as a/one.py)' in text
    assert '2 of 5 config files stock cannot build here' in text
    assert '  2 x ImportError: no lap in z.py' in text      # paths make no other reason
    assert 'mmpose: 1/1 configs passed (100.0%)' in text
    assert [r.name for r in failures(RESULTS)] == ['a/two.py']
    document = to_markdown(RESULTS)
    assert '| mmdet | 5 | 2 | 1 | 1 | 1 | 2 | 0 | 0 | 1 |' in document
    assert '* `mmdet::a/two.py`: it moves' in document
    assert '| mmdet | a | 1 | 2 | 1 | 0 | 0 | 0 |' in document
    assert '| mmpose | c/d | 1 | 1 | 1 | 0 | 0 | 0 |' in document
    assert '**mmdet, 2**: ImportError: no lap in z.py\n\n* `b/three.py`' in document
    assert '`Linear.weight` 2.' in document
    data = to_dict(RESULTS)
    assert data['totals']['mmdet'] == {
        'passed': 1, 'failed': 1, 'not built': 2, 'no model': 1, 'buildable': 2}
    assert from_dict(data) == RESULTS


def test_what_is_found_of_a_model_is_so_for_all_that_share_it():
    group = [Result('mmdet', 'a', PASSED), Result('mmdet', 'b', FAILED, 'its rounds')]
    adopt(group, Result('mmdet', 'a', PASSED, checked='a', scope_weights=5))
    assert [(r.status, r.reason, r.checked) for r in group] == [
        (PASSED, '', 'a'), (FAILED, 'its rounds', 'a')]
    adopt(group, Result('mmdet', 'a', FAILED, 'its zeros', 'a'))
    assert [r.reason for r in group] == ['its zeros', 'its rounds']
    adopt(group, Result('mmdet', 'a', NOT_BUILT, 'no lap', 'a'))
    assert {r.status for r in group} == {NOT_BUILT}


def test_each_family_has_its_turn():
    groups = [[Result('mmdet', name, PASSED)] for name in ('a/1', 'a/2', 'a/3', 'b/1', 'b/2')]
    assert [g[0].name for g in in_turn(groups)] == ['a/1', 'b/1', 'a/2', 'b/2', 'a/3']
