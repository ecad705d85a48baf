"""Reading finished lotteries."""
import json
from pathlib import Path

import pytest
from mmengine.config import Config
from written import COCO, KEYPOINT, MAP, MASK, VOC, lottery_cfg, write_lottery

from mmlth.analysis.found.labels import (class_names, data_label, method_label, model_label,
                                         source_label)
from mmlth.analysis.found.runs import find_runs, read_run
from mmlth.analysis.found.trainings import training_hash
from mmlth.core.errors import UserError
from mmlth.engine.chain.lottery_spec import settings_of

ROOT = Path(__file__).resolve().parents[2]


def test_a_run_says_what_it_was(tmp_path):
    folder = write_lottery(tmp_path / 'a', {MAP: 0.6}, {MAP: 0.5}, seed=7, sparsity=0.9,
                           rewind=dict(to='5%'), scope=0.9, network=0.72)
    run = read_run(folder)
    assert (run.model, run.data, run.seed, run.method) == (
        'Faster R-CNN R18', 'VOC', 7, 'direct')
    assert run.settings['sparsity'] == 0.9 and run.settings['to'] == '5%'
    assert run.settings['allocation'] == 'global' and run.settings['schedule'] == 'restart'
    assert [r.index for r in run.rounds] == [0, 1]
    assert run.dense.metrics == {MAP: 0.6} and run.dense.ticket is None
    assert run.ticket.network_sparsity == 0.72
    assert run.ticket.ticket == folder / 'round_1' / 'ticket.safetensors'
    assert run.dense.trained_fully


def test_runs_of_a_study_and_of_single_lotteries(tmp_path):
    for name in ('a', 'b'):
        write_lottery(tmp_path / 'study' / 'runs' / name, {MAP: 0.6}, {MAP: 0.5},
                      seed=ord(name))
    write_lottery(tmp_path / 'single', {MAP: 0.6}, {MAP: 0.5}, seed=3)
    found = find_runs([tmp_path / 'study', tmp_path / 'single', tmp_path / 'single'])
    assert [run.name for run in found.runs] == ['study/a', 'study/b', 'single']
    assert not found.left_out


def test_a_study_file_names_runs_that_are_not_begun(tmp_path):
    write_lottery(tmp_path / 'runs' / 'a', {MAP: 0.6}, {MAP: 0.5})
    write_lottery(tmp_path / 'runs' / 'of_another', {MAP: 0.6}, {MAP: 0.5}, seed=8)
    study = tmp_path / 'table_3'
    study.mkdir()
    (study / 'study.json').write_text(json.dumps(dict(version=1, runs={
        'a': dict(folder='../runs/a'), 'b': dict(folder='../runs/b')})))
    found = find_runs([study])
    assert [run.name for run in found.runs] == ['table_3/a']
    assert found.left_out == {'table_3/b': 'not begun'}


def test_unfinished_and_damaged_runs_of_a_study_are_left_out_by_name(tmp_path):
    runs = tmp_path / 'runs'
    write_lottery(runs / 'a', {MAP: 0.6}, {MAP: 0.5})
    write_lottery(runs / 'b', {MAP: 0.6}, {}, seed=1, done=False)
    write_lottery(runs / 'c', {MAP: 0.6}, {MAP: 0.5}, seed=2)
    (runs / 'c' / 'lottery.json').write_text('{"version": 1')
    (runs / 'd').mkdir()
    found = find_runs([tmp_path])
    assert [run.folder.name for run in found.runs] == ['a']
    reasons = {name.split('/')[1]: why for name, why in found.left_out.items()}
    assert 'round 1 of 1' in reasons['b']
    assert 'cannot be read' in reasons['c']
    assert reasons['d'] == 'not begun'


def test_one_lottery_counts_once(tmp_path):
    write_lottery(tmp_path / 'a', {MAP: 0.6}, {MAP: 0.5})
    write_lottery(tmp_path / 'b', {MAP: 0.6}, {MAP: 0.5})
    write_lottery(tmp_path / 'watched', {MAP: 0.6}, {MAP: 0.5}, early_bird=dict(interval=10))
    found = find_runs([tmp_path / n for n in ('a', 'b', 'watched')])
    # An EarlyBirdHook that ends nothing changes nothing; its curve is kept.
    assert [run.name for run in found.runs] == ['watched']
    assert found.left_out == {
        'b': 'the same lottery as a, which counts once',
        'a': 'the same lottery as watched, which counts once'}


@pytest.mark.parametrize('bad, says', [
    ('missing', 'there is no such folder'), ('empty', 'is no work dir of a lottery or a study'),
    ('file', 'is no work dir'), ('damaged', 'lottery.json cannot be read'),
    ('unfinished', 'round 1 of 1 is to be done'), ('study', 'study.json cannot be read')])
def test_bad_folders_are_one_clear_error(tmp_path, bad, says):
    folder = tmp_path / bad
    if bad == 'file':
        folder.write_text('no folder')
    elif bad != 'missing':
        folder.mkdir()
    if bad == 'damaged':
        (folder / 'lottery.json').write_text('[]')
    if bad == 'unfinished':
        write_lottery(folder, {MAP: 0.6}, {}, done=False)
    if bad == 'study':
        (folder / 'study.json').write_text('{"runs": [1]}')
    with pytest.raises(UserError, match=says):
        find_runs([folder])


def test_no_folder_is_an_error():
    with pytest.raises(UserError, match='no folder was given'):
        find_runs([])


@pytest.mark.parametrize('config, label', [
    ('faster_rcnn_r18_voc_prune80', 'Faster R-CNN R18, VOC'),
    ('mask_rcnn_r50_coco_prune80', 'Mask R-CNN R50, COCO'),
    ('keypoint_rcnn_r18_coco_prune80', 'Keypoint R-CNN R18, COCO'),
    ('faster_rcnn_r18_digits_prune80', 'Faster R-CNN R18 (width 16), digits'),
    ('td_hm_r50_coco_prune80', 'Heatmap R50, COCO')])
def test_labels_of_shipped_configs(config, label):
    cfg = Config.fromfile(ROOT / 'configs' / 'lth' / f'{config}.py')
    assert f'{model_label(cfg.model)}, {data_label(cfg)}' == label


@pytest.mark.parametrize('model, label', [
    (dict(type='RetinaNet', backbone=dict(type='ResNet', depth=50)), 'RetinaNet R50'),
    (dict(type='CascadeRCNN', backbone=dict(type='ResNeXt', depth=101)),
     'Cascade R-CNN X101'),
    (dict(type='mmdet.RTMDet', backbone=dict(type='mmdet.CSPNeXt')), 'RTMDet CSPNeXt'),
    (dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18)), 'R18'),
    (dict(type='Own'), 'Own')])
def test_labels_of_other_models(model, label):
    assert model_label(model) == label


def test_data_behind_wrappers():
    inner = dict(type='VOCDataset', data_root='/somewhere/VOCdevkit')
    wrapped = dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=[inner]))
    assert data_label(dict(train_dataloader=dict(dataset=wrapped))) == 'VOC'
    assert data_label({}) == 'data'


@pytest.mark.parametrize('settings, label', [
    (dict(), 'direct'),
    (dict(allocation='layerwise'), 'layerwise'),
    (dict(control='random_mask', allocation='layerwise'), 'control: random mask'),
    (dict(score='snip'), 'snip score'),
    (dict(rewind=dict(mode='finetune', length='20%')), 'fine-tuning'),
    (dict(update='set'), 'SET'),
    (dict(score='random', allocation='erk', update=dict(type='rigl')), 'RigL, erk, random score'),
    (dict(update=dict(type='gradual', end='50%')), 'gradual pruning'),
    (dict(update=dict(type='not.installed.Here')), 'Here'),
    (dict(early_bird=dict(interval=5)), 'direct'),
    (dict(early_bird=dict(interval=5, stop=dict(iou=0.9, patience=1))), 'early-bird')])
def test_methods(settings, label):
    assert method_label(settings_of(dict(config=lottery_cfg(**settings).to_dict()))) == label


def test_the_source_of_a_transfer_is_named_by_its_own_lottery(tmp_path):
    source = write_lottery(tmp_path / 'source', {}, {}, model=KEYPOINT, data=COCO)
    ticket = str(source / 'round_1' / 'ticket.safetensors')
    assert method_label(dict(transfer=dict(source=ticket))) == 'ticket of Keypoint R-CNN R18'
    classifier = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18))
    for data, label in (('imagenet', 'ImageNet ticket'), ('crops', 'ticket of crops classifier')):
        folder = write_lottery(tmp_path / data, {}, {}, model=classifier,
                               data=dict(type='X', data_root=f'data/{data}'))
        assert method_label(dict(transfer=dict(source=str(folder / 'round_1/final.pth')))) == label
    assert method_label(dict(transfer=dict(source='resnet18-f37072fd.pth'))) == 'ImageNet ticket'
    assert method_label(dict(transfer=dict(source='/gone/mine.pth'))) == 'ticket of mine'


def test_classes_of_pure_python_configs_are_named():
    cfg = dict(model=dict(type="<class 'mmdet.models.detectors.faster_rcnn.FasterRCNN'>"),
               x=[dict(type='CocoDataset')])
    assert class_names(cfg) == dict(model=dict(type='FasterRCNN'), x=[dict(type='CocoDataset')])


def test_the_same_training_whatever_the_ticket():
    base = training_hash(lottery_cfg())
    assert base == training_hash(lottery_cfg(
        seed=5, sparsity=0.9, allocation='layerwise', rewind=dict(to='9it'),
        early_bird=dict(interval=5)))
    assert base != training_hash(lottery_cfg(iters=50))
    assert base != training_hash(lottery_cfg(model=MASK))
    assert base != training_hash(lottery_cfg(data=COCO))


def test_the_same_training_wherever_its_data_lie_and_whoever_looks_on():
    """Seeds stood apart that were trained on machines with other folders, say."""
    def other(cfg=None, **changes):
        cfg = lottery_cfg() if cfg is None else cfg
        cfg.merge_from_dict(changes)
        return training_hash(cfg)
    base = other()
    assert base == other(**{'train_dataloader.pin_memory': True,
                            'train_dataloader.prefetch_factor': 4})
    assert base == other(custom_hooks=[dict(type='EmptyCacheHook')])
    assert base == other(**{'default_hooks.memory': dict(type='mmdet.MemoryProfilerHook')})
    assert base == other(lottery_cfg(data=dict(VOC, data_root='/mnt/data/VOCdevkit')))
    evaluated = [other(lottery_cfg(data=dict(VOC, data_root=root)),
                       val_evaluator=dict(ann_file=f'{root}/annotations/val.json'))
                 for root in ('data/VOCdevkit', '/mnt/VOCdevkit')]
    assert evaluated[0] == evaluated[1] != base
    assert base != other(lottery_cfg(data=dict(VOC, data_root='/mnt/data/VOC')))
    assert base != other(custom_hooks=[dict(type='EMAHook')])
    assert base != other(**{'train_dataloader.num_workers': 4})


def test_an_untrained_or_cut_dense_model_is_no_dense_model(tmp_path):
    cut = read_run(write_lottery(tmp_path / 'cut', {MAP: 0.3}, {MAP: 0.5}, dense_iterations=40))
    untrained = read_run(write_lottery(tmp_path / 'none', {}, {MAP: 0.5}, dense_iterations=0))
    assert not cut.dense.trained_fully and not untrained.dense.trained_fully


@pytest.mark.parametrize('source, label', [
    ('torchvision://resnet18', 'ImageNet ticket'), ('resnet18-f37072fd.pth', 'ImageNet ticket'),
    ('~/.cache/torch/hub/checkpoints/resnet50-0676ba61.pth', 'ImageNet ticket'),
    ('https://download.pytorch.org/models/resnext50_32x4d-7cdf4587.pth', 'ImageNet ticket'),
    ('https://download.openmmlab.com/mmclassification/v0/resnet/resnet18_8xb32_in1k_20210831-'
     'fbbb1da6.pth', 'ImageNet ticket'), ('timm/resnet18.a1_in1k', 'ImageNet ticket'),
    ('open-mmlab://resnet50_caffe-788b5fa3', 'ImageNet ticket'),
    ('resnet18.pth', 'ImageNet ticket'), ('data/imagenet/final.pth', 'ImageNet ticket'),
    ('r18_imagenet.safetensors', 'ImageNet ticket'),
    ('work_dirs/resnet18_imagenet_prune80/round_1/final.pth', 'ImageNet ticket'),
    ('work_dirs/mask_rcnn_v1.5/round_2/ticket.safetensors', 'ticket of mask_rcnn_v1.5'),
    ('C:\\work\\mask\\round_1\\final.pth', 'ticket of mask'),
    ('round_1/final.pth', 'ticket of another model'),
    ('/home/timmy/tickets/keypoints.safetensors', 'ticket of keypoints'),
    ('/home/timm/tickets/keypoints.safetensors', 'ticket of keypoints'),
    ('runs/optimmed/faster.pth', 'ticket of faster'), ('/data/victim_meta/kp.pth', 'ticket of kp'),
    ('work/mmpretrain/work_dirs/faster.pth', 'ticket of faster'),
    ('resnet18_keypoints.pth', 'ticket of resnet18_keypoints')])
def test_published_weights_are_known_by_their_names(source, label):
    assert source_label(dict(source=source)) == label
