"""Which metrics are main ones, whose they are, and in which unit they are shown."""
import pytest
from mmengine.hooks import CheckpointHook
from mmpose.evaluation import MpiiPCKAccuracy

from mmlth.metrics import chosen_metrics, main_metrics, metric_of, metrics_of, worth_a_column

BOX, SEGM = 'coco/bbox_mAP', 'coco/segm_mAP'


def test_one_metric_per_task_in_percent():
    names = ['coco/bbox_mAP_50', BOX, 'coco/keypoints_mAP', 'coco/segm_mAP_s', SEGM]
    found = main_metrics(names)
    assert [m.task for m in found] == ['detection', 'segmentation', 'keypoints']
    assert [m.name for m in found] == [BOX, SEGM, 'coco/keypoints_mAP']
    assert found[0].at_50 == 'coco/bbox_mAP_50' and found[0].axis == 'detection mAP (%)'
    assert found[0].of({BOX: 0.295}) == pytest.approx(29.5)
    assert metric_of('accuracy/top1').of({'accuracy/top1': 71.0}) == 71
    assert metric_of('coco/AP').task == 'keypoints'


def test_a_metric_that_says_nothing():
    metric = metric_of(BOX)
    assert [metric.of({BOX: v}) for v in (float('nan'), float('inf'), -1.0)] == [None] * 3
    assert metric.of({}) is None and metric.of({BOX: 0.0}) == 0
    # Of an unknown metric neither unit nor range is known.
    assert metric_of('toy/AP').of({'toy/AP': -3.5}) == -3.5
    assert [m.name for m in main_metrics(['x/a', 'x/b'])] == ['x/a', 'x/b']


def test_save_best_says_which_metric_a_task_has():
    names = ['coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/segm_mAP', 'MPJPE_all']
    found = main_metrics(names, ['coco/bbox_mAP_50'])
    assert [m.name for m in found] == ['coco/bbox_mAP_50', 'coco/segm_mAP']
    assert (found[0].axis, found[0].at_50) == ('detection AP50 (%)', None)
    # An unknown one is a task of its own, and the first.
    assert [m.name for m in main_metrics(names, ['MPJPE_all', 'gone'])] == ['MPJPE_all', BOX, SEGM]
    assert [m.name for m in main_metrics(['x/a', 'x/b'], ['x/b'])] == ['x/b']


def test_what_is_worth_a_column():
    coco = ['coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/bbox_mAP_s', 'coco/segm_mAP']
    assert worth_a_column(coco) == ['coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/segm_mAP']
    assert worth_a_column(coco, ['coco/bbox_mAP_s', 'none']) == [
        'coco/bbox_mAP_s', 'coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/segm_mAP']
    assert worth_a_column(['lvis/bbox_AP', 'lvis/bbox_AP50', 'lvis/bbox_APr']) == [
        'lvis/bbox_AP', 'lvis/bbox_AP50']
    assert worth_a_column(['pascal_voc/mAP', 'pascal_voc/AP50']) == [
        'pascal_voc/mAP', 'pascal_voc/AP50']
    assert worth_a_column(['coco/AP', 'coco/AP .5', 'coco/AR']) == ['coco/AP', 'coco/AP .5']
    assert worth_a_column(['x/a', 'toy/AP', 'PCK']) == ['toy/AP', 'PCK']
    assert worth_a_column(['x/a', 'x/b', 'x/c', 'x/a']) == ['x/a', 'x/b']


@pytest.mark.parametrize('given,found', [
    ('coco/AP', ['coco/AP']), (['PCK', 'auto'], ['PCK']), ('auto', []), (None, [])])
def test_the_chosen_metric_of_a_config(given, found):
    cfg = dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', save_best=given)))
    assert chosen_metrics(cfg) == found
    hook = CheckpointHook(save_best='coco/AP', rule='greater')      # an object, or a note of one
    assert chosen_metrics(dict(default_hooks=dict(checkpoint=hook))) == ['coco/AP']
    assert chosen_metrics(dict(default_hooks=dict(checkpoint=str(hook)))) == []
    assert chosen_metrics(dict(default_hooks=dict(checkpoint=None))) == chosen_metrics({}) == []


def test_of_an_error_less_is_better():
    assert not metric_of('NME').greater and metric_of(BOX).greater
    assert metric_of('NME').axis == 'keypoints NME (%)' and metric_of('EPE').axis == 'keypoints EPE'


@pytest.mark.parametrize('name, greater', [
    ('crowd_human/mAP', True), ('crowd_human/mMR', False), ('crowd_human/JI', True),
    ('cityscapes/mAP', True), ('coco_panoptic/PQ_th', True), ('coco/bbox_mAP_s', True),
    ('lvis/bbox_APr', True), ('coco/AR@100', True), ('motchallenge-metric/IDSW', False),
    ('motchallenge-metric/HOTA', True), ('grefcoco/F1_score', True), ('left_hand/NME', False),
    ('P-MPJPE', False), ('N-MPJPE_Eat', False), ('MPJPE_all', False), ('MRRPE', False),
    ('HandednessAcc', True), ('Head PCK', True), ('PCK@0.1', True), ('posetrack18/Head AP', True),
    ('accuracy/top5', True), ('multi-label/mAP', True), ('single-label/f1-score', True),
    ('single-label/support', None), ('x/a', None), ('toy/happiness', None), ('acc_loss', None)])
def test_what_is_better_of_what_evaluators_report(name, greater):
    assert metric_of(name).greater is greater


def _saved(**hook):
    return dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', **hook)))


@pytest.mark.parametrize('hook, name, greater', [
    (dict(save_best='x/a', rule='less'), 'x/a', False),
    (dict(save_best='auto', rule='less'), 'x/a', False),
    (dict(save_best='auto', rule='less'), 'x/b', None),
    (dict(save_best=['x/b', 'x/a'], rule=['less', 'greater']), 'x/a', True),
    (dict(save_best=['x/b', 'x/a'], rule=['less']), 'x/a', False),
    (dict(save_best='x/b', rule='less'), 'x/a', None), (dict(save_best='x/a'), 'x/a', None),
    (dict(less_keys=['X/A']), 'x/a', False), (dict(less_keys=['/b']), 'x/b', False),
    # As the CheckpointHook matches: a whole name before a part of it, then greater before less.
    (dict(less_keys=['x/a'], greater_keys=['a']), 'x/a', False),
    (dict(less_keys=['x'], greater_keys=['a']), 'x/a', True),
    (dict(save_best='PCK', rule='less'), 'PCK', False),
    # Only a rule that names a known metric says more of it than the table does.
    (dict(less_keys=['p']), 'PCK', True)])
def test_a_config_says_what_is_better(hook, name, greater):
    found = {metric.name: metric for metric in metrics_of(['x/a', 'x/b'], [_saved(**hook)])}
    assert found.get(name, metric_of(name, [_saved(**hook)])).greater is greater


def test_configs_that_disagree_say_nothing():
    less, greater = (_saved(save_best='x/a', rule=rule) for rule in ('less', 'greater'))
    assert [metrics_of(['x/a'], cfgs)[0].greater for cfgs in (
        [less, {}, less], [less, greater])] == [False, None]


@pytest.mark.parametrize('evaluator, shown', [
    (dict(type='MpiiPCKAccuracy'), 88.5), ([dict(type='mmpose.MpiiPCKAccuracy')], 88.5),
    (dict(type=str(MpiiPCKAccuracy)), 88.5), (dict(type='PCKAccuracy'), 8850.0), (None, 8850.0)],
    ids=str)
def test_what_is_in_percent_already(evaluator, shown):
    """MPII's PCK, of a config of MMPose or as ``lottery.json`` has one in Python."""
    metrics = {'PCK': 88.5, 'PCK@0.1': 31.0}
    metric, = metrics_of(metrics, [dict(val_evaluator=evaluator)])
    assert metric.of(metrics) == pytest.approx(shown) and metric.axis == 'keypoints PCK (%)'
