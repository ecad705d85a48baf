"""Evaluations: right by construction, kept beside the weights, made anew for others."""
import json
import shutil
from collections import Counter

import pytest
import torch
from oracles import PoseOracle, save, use_keypoints, use_masks, use_oracle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from small_lottery import SIZE, draw, small_config, small_digits, use_voc

from mmlth.analysis.found.runs import read_run
from mmlth.analysis.measure import evaluate as module
from mmlth.analysis.measure import predictions
from mmlth.analysis.measure.evaluate import Evaluations, evaluate
from mmlth.analysis.measure.precision import measure, measure_voc, with_results
from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine.config import load_config


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return small_digits(tmp_path_factory.mktemp('data') / 'digits')


@pytest.fixture(scope='module')
def run(data, tmp_path_factory):
    return draw(data, tmp_path_factory.mktemp('run') / 'lottery')


def annotations(data, split):
    """Names of the categories, and annotations, straight from the file."""
    content = json.loads((data / f'annotations/instances_{split}.json').read_text())
    return {c['id']: c['name'] for c in content['categories']}, content['annotations']


def sizes_of(areas):
    return dict(small=sum(a < 32**2 for a in areas), medium=sum(32**2 <= a < 96**2 for a in areas),
                large=sum(a >= 96**2 for a in areas))


def test_who_is_always_right_has_ap_1_in_each_size_and_category(data, tmp_path):
    names, objects = annotations(data, 'val')
    found = evaluate(use_oracle(use_masks(small_config(data, tmp_path))), save(tmp_path / 'w.pth'))
    assert set(found['precision']) == {'bbox', 'segm'} and found['loop'] == 'val'
    present = {names[o['category_id']] for o in objects}
    for result in found['precision'].values():
        assert result['AP'] == result['AP50'] == result['AP75'] == pytest.approx(1)
        assert result['objects'] == sizes_of([o['area'] for o in objects])
        assert result['sizes'] == {size: pytest.approx(1) if count else None
                                   for size, count in result['objects'].items()}
        assert result['categories'] == {name: pytest.approx(1) if name in present else None
                                        for name in names.values()}
    # 4 filters of 3 x 3 x 3 at each pixel, a product and a sum each.
    assert found['flops'] == dict(inputs=4, total=2 * 4 * 27 * SIZE**2,
                                  layers={'conv.weight': 2 * 4 * 27 * SIZE**2})
    names, objects = annotations(data, 'train')
    counts = Counter(names[o['category_id']] for o in objects)
    assert found['training_counts'] == {name: counts[name] for name in names.values()}


def test_a_category_that_is_not_found_drops_alone(data, tmp_path):
    names, objects = annotations(data, 'val')
    label, blind = objects[0]['category_id'], names[objects[0]['category_id']]
    label = list(names).index(label)
    result = evaluate(use_oracle(small_config(data, tmp_path), [label]),
                      save(tmp_path / 'w.pth'))['precision']['bbox']
    present = {names[o['category_id']] for o in objects}
    assert {n: v for n, v in result['categories'].items() if v is not None} == {
        n: pytest.approx(float(n != blind)) for n in present}
    assert result['AP'] == pytest.approx(1 - 1 / len(present))


def test_nothing_found_is_ap_0(data, tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, 'WATCHES', False)      # as before PyTorch 2.0
    found = evaluate(use_oracle(small_config(data, tmp_path), range(10)), save(tmp_path / 'w.pth'))
    result = found['precision']['bbox']
    assert result['AP'] == 0 and set(result['categories'].values()) == {0, None}
    assert found['flops'] is None


def test_keypoints_have_no_small_size(data, tmp_path):
    found = evaluate(use_oracle(use_keypoints(small_config(data, tmp_path))),
                     save(tmp_path / 'w.pth'))
    assert set(found['precision']) == {'bbox', 'keypoints'}
    result = found['precision']['keypoints']
    assert result['AP'] == pytest.approx(1) and list(result['sizes']) == ['medium', 'large']
    assert result['sizes']['medium'] == pytest.approx(1)
    assert all('keypoints' in o for e in found['examples'] for o in e['predictions'])
    assert found['examples'][0]['skeleton'] == [[0, 1], [1, 2]]


@pytest.mark.parametrize('blind_to_difficult', [False, True])
def test_voc_style_data(data, tmp_path, blind_to_difficult):
    """Per class by VOC's metric, by size by COCO's; missing a difficult object costs nothing."""
    root = tmp_path / 'digits'
    shutil.copytree(data, root)
    names, objects = annotations(data, 'val')
    rare = names[Counter(o['category_id'] for o in objects).most_common()[-1][0]]
    if blind_to_difficult:
        for path in (root / 'VOC2007/Annotations').glob('*.xml'):
            parts = path.read_text().split('<object>')
            path.write_text('<object>'.join(
                p.replace('<difficult>0', '<difficult>1') if f'<name>{rare}<' in p else p
                for p in parts))
    cfg = use_oracle(use_voc(small_config(root, tmp_path)),
                     [int(rare)] if blind_to_difficult else ())
    result = evaluate(cfg, save(tmp_path / 'w.pth'))['precision']['bbox']
    assert result['protocol'] == 'Pascal VOC'
    assert result['categories'][rare] == (None if blind_to_difficult else pytest.approx(1))
    assert all(value in (None, pytest.approx(1))
               for name, value in result['categories'].items() if name != rare)
    assert all(value == (pytest.approx(1) if result['objects'][size] else None)
               for size, value in result['sizes'].items())
    if not blind_to_difficult:
        assert result['AP'] == result['AP50'] == pytest.approx(1) and result['AP75'] is None
        assert sum(result['objects'].values()) == len(objects)


def test_a_false_alarm_with_a_higher_score_halves_ap():
    """By hand: precision is 1/2 at every recall; a hit at IoU 0.6 alone counts up to 0.6."""
    truth = COCO()
    truth.dataset = dict(
        images=[dict(id='a', width=99, height=99)],
        categories=[dict(id=0, name='cat'), dict(id=1, name='dog')],
        annotations=[dict(id=1 + c, image_id='a', category_id=c, bbox=[10, 10, 20, 20], area=400,
                          iscrowd=0) for c in (0, 1)])
    truth.createIndex()
    results = [dict(image_id='a', category_id=0, bbox=[60, 60, 20, 20], score=0.9),
               dict(image_id='a', category_id=0, bbox=[10, 10, 20, 20], score=0.8),
               dict(image_id='a', category_id=1, bbox=[10, 10, 20, 12.4], score=0.7)]
    voc = measure_voc(truth, results, [0.5, 0.75], '11points')
    assert voc['AP50'] == pytest.approx((0.5 + 1) / 2) and voc['AP75'] == pytest.approx(0.25)
    assert voc['AP'] == pytest.approx(0.5)
    assert voc['categories'] == dict(cat=pytest.approx(0.5), dog=pytest.approx(0.5))
    coco = measure(COCOeval(truth, with_results(truth, results), 'bbox'))
    # Thresholds 0.50, 0.55 and 0.60 of ten.
    assert coco['categories'] == dict(cat=pytest.approx(0.5), dog=pytest.approx(0.3))
    assert coco['AP'] == coco['sizes']['small'] == pytest.approx(0.4)
    assert coco['sizes'] == dict(small=coco['AP'], medium=None, large=None)


@pytest.mark.slow
def test_mmpose(tmp_path, real_data):
    """Persons with annotated boxes; sizes as COCO's keypoint evaluation has them."""
    root = f'{real_data}/coco_person/'
    cfg = load_config(
        'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py')
    cfg.pop('model')
    cfg.model = dict(type='mmengine.PoseOracle')
    for name, loader in (('train', cfg.train_dataloader), ('val', cfg.val_dataloader)):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=root, ann_file=f'person_keypoints_{name}.json',
                              data_prefix=dict(img='images/'), bbox_file=None)
    cfg.val_evaluator.ann_file = root + 'person_keypoints_val.json'
    found = evaluate(cfg, save(tmp_path / 'w.pth', PoseOracle()))
    result = found['precision']['keypoints']
    assert result['AP'] == pytest.approx(1) and result['categories'] == dict(
        person=pytest.approx(1))
    content = json.loads((real_data / 'coco_person/person_keypoints_val.json').read_text())
    counted = [a['area'] for a in content['annotations']
               if a['num_keypoints'] and not a['iscrowd']]
    expected = sizes_of(counted)
    assert result['objects'] == dict(medium=expected['medium'], large=expected['large'])
    assert found['flops']['total'] == 2 * 4 * 27 * 192 * 256
    assert len(found['examples'][0]['skeleton']) == 19
    assert found['training_counts']['person'] > 100


def test_a_real_lottery_agrees_with_what_it_noted(run):
    evaluations = Evaluations.of_runs([run], say=lambda text: None)
    assert not evaluations.problems and not evaluations.doubts
    for part in run.rounds:
        result = evaluations.get(part)['precision']['bbox']
        for own, noted in ((result['AP'], 'mAP'), (result['AP50'], 'mAP_50'),
                           (result['sizes']['small'], 'mAP_s')):
            assert own == pytest.approx(part.metrics[f'coco/bbox_{noted}'], abs=6e-4)
        assert len(evaluations.get(part)['examples']) == 3


@pytest.fixture
def copied(run, tmp_path):
    """A copy of the run, evaluated."""
    Evaluations.of_runs([run], say=lambda text: None)
    shutil.copytree(run.folder, tmp_path / 'copy')
    return read_run(tmp_path / 'copy')


def no_evaluation(monkeypatch):
    def fail(*args):
        raise UserError('evaluated again')
    monkeypatch.setattr(module, 'evaluate', fail)


def test_what_was_evaluated_is_read(copied, monkeypatch):
    no_evaluation(monkeypatch)
    evaluations = Evaluations.of_runs([copied], say=lambda text: None)
    assert not evaluations.problems and evaluations.get(copied.ticket)
    # Results that came without their checkpoints.
    copied.ticket.checkpoint.unlink()
    assert not Evaluations.of_runs([copied], say=lambda text: None).problems


def test_other_data_than_the_training_had_are_doubted(copied):
    copied.ticket.metrics['coco/bbox_mAP'] = 0.42
    evaluations = Evaluations.of_runs([copied], say=lambda text: None)
    doubt, = evaluations.doubts.values()
    assert 'round 1 has detection mAP (%) 0.' in doubt and 'noted 42.0' in doubt
    assert evaluations.get(copied.ticket)


@pytest.mark.parametrize('change', ['weights', 'version', 'damaged'])
def test_other_weights_are_evaluated_anew(copied, monkeypatch, change):
    kept = copied.ticket.folder / paths.EVALUATION
    if change == 'weights':
        checkpoint = torch.load(copied.ticket.checkpoint, weights_only=True)
        checkpoint['state_dict']['backbone.conv1.weight'][0, 0, 0, 0] += 1
        torch.save(checkpoint, copied.ticket.checkpoint)
    elif change == 'version':
        kept.write_text(kept.read_text().replace('"version": 1', '"version": 0'))
    else:
        kept.write_text('{')
    made = []
    monkeypatch.setattr(module, 'evaluate', lambda cfg, path: made.append(path) or dict(
        version=1, precision={}))
    Evaluations.of_runs([copied], say=lambda text: None)
    assert made == [copied.ticket.checkpoint]


def test_equal_dense_models_are_evaluated_once(copied, run, monkeypatch):
    for part in copied.rounds:
        (part.folder / paths.EVALUATION).unlink()
    no_evaluation(monkeypatch)
    evaluations = Evaluations.of_runs([run, copied], say=lambda text: None)
    assert not evaluations.problems
    assert evaluations.get(copied.dense) == evaluations.get(run.dense)
    assert (copied.dense.folder / paths.EVALUATION).is_file()


def test_missing_data_is_one_clear_message(copied, monkeypatch, tmp_path):
    for part in copied.rounds:
        (part.folder / paths.EVALUATION).unlink()
        for file in part.folder.glob('*.py'):
            file.write_text(file.read_text().replace('annotations/instances_val', 'absent'))
    said = []
    evaluations = Evaluations.of_runs([copied], say=said.append)
    problem, = evaluations.problems.values()
    assert 'not where the config says' in problem and 'absent.json' in problem
    assert '\n' not in problem and len([text for text in said if 'not evaluated' in text]) == 1


def test_a_metric_without_sizes_is_named(data, tmp_path):
    cfg = use_oracle(small_config(data, tmp_path))
    cfg.val_evaluator = dict(type='DumpResults', out_file_path=str(tmp_path / 'x.pkl'))
    with pytest.raises(UserError, match='DumpResults.*expected a CocoMetric'):
        evaluate(cfg, save(tmp_path / 'w.pth'))


def test_without_an_evaluation_loop(data, tmp_path):
    cfg = use_oracle(small_config(data, tmp_path))
    cfg.val_dataloader = cfg.test_dataloader = None
    with pytest.raises(UserError, match='no validation and no test loop'):
        evaluate(cfg, save(tmp_path / 'w.pth'))


def test_the_test_loop_serves_where_there_is_no_other(data, tmp_path):
    cfg = use_oracle(small_config(data, tmp_path))
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    found = evaluate(cfg, save(tmp_path / 'w.pth'))
    assert found['loop'] == 'test' and found['precision']['bbox']['AP'] == pytest.approx(1)


def test_training_data_and_images_may_be_gone(data, tmp_path):
    root = tmp_path / 'digits'
    shutil.copytree(data, root)
    (root / 'annotations/instances_train.json').unlink()
    cfg, weights = use_oracle(small_config(root, tmp_path)), save(tmp_path / 'w.pth')
    found = evaluate(cfg, weights)
    assert found['training_counts'] is None
    assert found['precision']['bbox']['AP'] == pytest.approx(1)
    next((root / 'val').glob('*.jpg')).unlink()
    cfg.val_dataloader.num_workers = 1      # its errors come with a traceback
    with pytest.raises(UserError, match=r'^the evaluation data.*\.jpg') as error:
        evaluate(cfg, weights)
    assert '\n' not in str(error.value)
