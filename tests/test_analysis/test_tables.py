"""Tables 1 to 4, beside the paper's numbers where the configuration is the same."""
import pytest
from written import BOX, COCO, FASTER, KEYPOINT, MAP, MASK, SEGM, VOC, one, write_lottery

from mmlth import paper
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.modules import modules_sections
from mmlth.analysis.sections.tables import imagenet_sections, task_sections
from mmlth.core.errors import UserError

OKS = 'coco/keypoints_mAP'
KEYPOINTS = {**KEYPOINT, 'neck': dict(type='FPN')}


@pytest.fixture
def imagenet(tmp_path):
    """The source of an ImageNet ticket."""
    folder = write_lottery(tmp_path / 'sources' / 'imagenet', {}, {},
                           model=dict(type='ImageClassifier'),
                           data=dict(type='ImageNet', data_root='data/imagenet'))
    return dict(source=str(folder / 'round_1' / 'final.pth'), mapping='backbone')


def read(tmp_path):
    return find_runs([tmp_path]).runs


def test_imagenet_tickets_beside_table_1(tmp_path, imagenet):
    for prune, network, ap in ((0.9, .795, .60), (0.8, .707, .65)):
        for seed in (0, 1):
            write_lottery(tmp_path / 'runs' / f'{prune}_{seed}', {MAP: .68 + .02 * seed},
                          {MAP: ap + .02 * seed}, seed=seed, scope=prune, network=network,
                          transfer={**imagenet, 'sparsity': prune})
    section = one(imagenet_sections, read(tmp_path))
    assert [(r['source'], r['prune'], r['mean']) for r in section.rows] == [
        ('ImageNet ticket', pytest.approx(90), pytest.approx(61)),
        ('ImageNet ticket', pytest.approx(80), pytest.approx(66)),
        ('dense', 0, pytest.approx(69))]
    assert [(r['paper_network_sparsity'], r['paper_map'], r['paper_std'])
            for r in section.rows] == [(79.49, 63.91, .41), (70.66, 65.82, .23), (0, 68.53, .29)]
    assert section.paper == 'Tables 1 and 2' and 'paper_map' in section.columns


def test_coco_rows_have_ap50_and_each_task_its_number(tmp_path, imagenet):
    ours = {BOX: .25, 'coco/bbox_mAP_50': .43, SEGM: .24, 'coco/segm_mAP_50': .41}
    write_lottery(tmp_path / 'runs' / 'a', ours, ours, model=MASK, data=COCO, scope=.9,
                  network=.316, transfer=imagenet)
    first, dense, second, _ = one(imagenet_sections, read(tmp_path)).rows
    assert (first['task'], first['mean'], first['ap50']) == (
        'detection', pytest.approx(25), pytest.approx(43))
    assert (first['paper_map'], first['paper_ap50']) == (25.59, 43.69)
    assert (second['task'], second['paper_map'], second['paper_ap50']) == (
        'segmentation', 24.03, 40.89)
    assert dense['paper_map'] == 29.91


@pytest.mark.parametrize('change', [
    dict(model={**FASTER, 'roi_head': dict(type='StandardRoIHead')}),        # no C4
    dict(model={**FASTER, 'backbone': dict(type='ResNet', depth=18, base_channels=16)}),
    dict(model={**FASTER, 'backbone': dict(type='ResNet', depth=101)}),
    dict(data={**VOC, 'ann_file': 'VOC2012/trainval.txt'}),
    dict(data=dict(type='CocoDataset', data_root='data/digits/'))])
def test_another_model_or_data_set_has_no_number_of_the_paper(tmp_path, imagenet, change):
    write_lottery(tmp_path / 'runs' / 'a', {MAP: .7}, {MAP: .7}, transfer=imagenet, **change)
    section = one(imagenet_sections, read(tmp_path))
    assert all(row['paper_map'] is None for row in section.rows)
    assert 'paper_map' not in section.columns


def test_boxes_of_persons_are_not_the_papers_detection(tmp_path, imagenet):
    ours = {BOX: .4, OKS: .55}
    write_lottery(tmp_path / 'runs' / 'a', ours, ours, model=KEYPOINTS, data=COCO, scope=.9,
                  transfer=imagenet)
    printed = {r['task']: r['paper_map'] for r in one(imagenet_sections, read(tmp_path)).rows
               if r['source'] != 'dense'}
    assert printed == {'detection': None, 'keypoints': 55.30}


def test_task_to_task_beside_table_4(tmp_path):
    ours = {OKS: .58, 'coco/keypoints_mAP_50': .81}
    write_lottery(tmp_path / 'runs' / 'direct', ours, {**ours, OKS: .59}, model=KEYPOINTS,
                  data=COCO, network=.794)
    write_lottery(tmp_path / 'runs' / 'half', ours, {**ours, OKS: .60}, model=KEYPOINTS,
                  data=COCO, sparsity=.5, scope=.5, network=.5)
    # Its path leads nowhere from here, as after a move; the source is beside the run.
    write_lottery(tmp_path / 'runs' / 'mask', {BOX: .3}, {BOX: .3}, model=MASK, data=COCO)
    write_lottery(tmp_path / 'runs' / 'moved', ours, {**ours, OKS: .57}, model=KEYPOINTS,
                  data=COCO, network=.77, transfer=dict(
                      source='/gone/runs/mask/round_1/final.pth', mapping='till_heads'))
    rows = one(task_sections, read(tmp_path)).rows
    assert [(r['source'], r['mean'], r['paper_map'], r['paper_ap50']) for r in rows] == [
        ('ticket of Mask R-CNN R18', pytest.approx(57), 58.31, 81.53),
        ('direct', pytest.approx(59), 59.34, 82.36), ('dense', pytest.approx(58), None, None)]


def test_masks_alone_are_told_from_masks_with_weights(tmp_path):
    source = write_lottery(tmp_path / 'runs' / 'mask', {}, {}, model=MASK, data=COCO)
    transfer = dict(source=str(source / 'round_1' / 'final.pth'), mapping='till_heads')
    for weights in (False, True):
        write_lottery(tmp_path / 'runs' / f'weights_{weights}', {OKS: .5}, {OKS: .5},
                      model=KEYPOINTS, data=COCO, transfer={**transfer, 'weights': weights})
    labels = [row['source'] for row in one(task_sections, read(tmp_path)).rows]
    assert len(set(labels)) == 3 and 'ticket of Mask R-CNN R18, masks_only True' in labels


def test_modules_beside_table_3(tmp_path):
    layers = {'backbone.layer1.0.conv1.weight': (1000, 800)}
    for scope, ap in ((['base'], .69), (['top', 'base'], .68), (['rpn'], .70)):
        for seed in (0, 1):
            write_lottery(tmp_path / 'runs' / f'{"_".join(scope)}{seed}', {MAP: .7},
                          {MAP: ap}, seed=seed, layers=layers, scope_=scope)
    section = one(modules_sections, read(tmp_path))
    dense = section.rows[0]
    assert not any(dense[m] for m in ('base', 'top', 'rpn', 'head'))
    assert dense['mean'] == pytest.approx(70) and dense['paper_map'] == 69.74
    found = {tuple(m for m in ('base', 'top', 'rpn', 'head') if r[m]): r
             for r in section.rows[1:]}
    assert set(found) == {('base',), ('base', 'top'), ('rpn',)}
    assert found['base', 'top']['paper_map'] == 68.45
    assert found['base',]['mean'] == pytest.approx(69)
    assert found['base',]['param_percent'] == pytest.approx(50)     # of twice as many weights


def test_modules_of_other_settings_have_no_number_of_the_paper(tmp_path):
    for scope in (['base'], ['stem'], dict(include=['neck'])):
        write_lottery(tmp_path / 'runs' / f'{len(list((tmp_path).rglob("*")))}', {MAP: .7},
                      {MAP: .69}, scope_=scope, floor=.1)
    rows = one(modules_sections, read(tmp_path)).rows
    assert [r['paper_map'] for r in rows[1:]] == [None] * 3
    assert sorted(r['other'] for r in rows[1:]) == ['', "include=['neck']", 'stem']


@pytest.mark.parametrize('section', [imagenet_sections, task_sections, modules_sections])
def test_without_such_runs_there_is_a_reason(tmp_path, section):
    write_lottery(tmp_path / 'runs' / 'a', {MAP: .7}, {MAP: .7})
    with pytest.raises(UserError):
        section(read(tmp_path), None)


def test_every_number_of_tables_1_2_and_4_finds_its_place():
    """What same_as_paper makes of our names must be the paper's."""
    assert {(r.task, r.dataset, r.backbone) for r in paper.ROWS} == {
        (task, 'coco', backbone) for task in ('detection', 'segmentation', 'keypoint')
        for backbone in ('resnet18', 'resnet50')} | {
        ('detection', 'voc', 'resnet18'), ('detection', 'voc', 'resnet50')}
