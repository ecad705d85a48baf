"""One odd thing in the data or the work dir costs only what belongs to it."""
import json
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from small_lottery import draw, small_config, small_digits
from toy import lottery_config
from written import MAP, write_lottery

from mmlth.analysis import analyze
from mmlth.analysis.analyze import EVALUATIONS
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.measure import evaluate as evaluating
from mmlth.analysis.measure.evaluate import Evaluations, evaluate
from mmlth.analysis.measure.truth import category_names, training_counts
from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine import LotteryRunner
from mmlth.engine.chain import lottery_runner
from mmlth.engine.chain import report as chain_report
from mmlth.registry import ANALYSES
from mmlth.report.guard import Guard
from mmlth.report.picture import read_picture

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return small_digits(tmp_path_factory.mktemp('data') / 'digits')


@pytest.fixture(scope='module')
def run(data, tmp_path_factory):
    return draw(data, tmp_path_factory.mktemp('lottery') / 'run', iters=2)


def change(data, split, edit):
    path = data / 'annotations' / f'instances_{split}.json'
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize('classes', [
    ('cat', 'dog', 'owl'), ('owl', 'dog', 'cat'), ('dog', 'owl'), ('cat', 'dgo', 'owl')])
def test_counts_go_by_the_ids_of_the_file(tmp_path, classes):
    import mmdet.datasets  # noqa: F401
    number = dict(cat=1, dog=3, owl=5)
    names = {1: 'cat', 2: 'dog', 3: 'owl'}
    kept = [(c, crowd) for c, n in names.items() for crowd in [0] * number[n] + [1]]
    content = dict(
        images=[dict(id=0, file_name='a.jpg', width=64, height=64)],
        categories=[dict(id=c, name=n) for c, n in names.items()],
        annotations=[dict(id=i + 1, image_id=0, category_id=c, bbox=[1, 1, 9, 9], area=81,
                          iscrowd=crowd) for i, (c, crowd) in enumerate(kept)])
    (tmp_path / 'a.json').write_text(json.dumps(content))
    cfg = lottery_config(tmp_path)
    cfg.train_dataloader.dataset = dict(
        type='mmdet.CocoDataset', data_root=str(tmp_path), ann_file='a.json',
        data_prefix=dict(img=''), metainfo=dict(classes=classes), pipeline=[])
    assert training_counts(cfg) == {name: number.get(name, 0) for name in classes}


def test_two_categories_of_one_name_are_told_apart():
    assert category_names([dict(id=1, name='a'), dict(id=2, name='b'), dict(id=7, name='a')]) == {
        1: 'a (id 1)', 2: 'b', 7: 'a (id 7)'}


@pytest.mark.parametrize('name, write', [
    ('grey.png', lambda p: Image.new('L', (6, 4), 128).save(p)),
    ('deep.png', lambda p: cv2.imwrite(str(p), np.full((4, 6), 128 * 257, np.uint16))),
    ('palette.png', lambda p: Image.new('RGB', (6, 4), (128,) * 3).quantize(4).save(p)),
    ('cmyk.jpg', lambda p: Image.new('CMYK', (6, 4), (0, 0, 0, 127)).save(p)),
    ('deep.tif', lambda p: cv2.imwrite(str(p), np.full((4, 6, 3), 128 * 257, np.uint16))),
    ('alpha.png', lambda p: Image.new('RGBA', (6, 4), (128, 128, 128, 9)).save(p))])
def test_images_of_any_kind_are_read_as_the_training_reads_them(tmp_path, name, write):
    write(tmp_path / name)
    picture = read_picture(str(tmp_path / name))
    assert picture.mode == 'RGB' and picture.size == (6, 4)
    assert abs(np.asarray(picture).astype(int) - 128).max() <= 3


def test_pictures_and_counts_are_left_out_with_the_reason(data, run, tmp_path, monkeypatch):
    odd = tmp_path / 'odd'
    shutil.copytree(data, odd)
    shutil.rmtree(odd / 'train')        # of no use for counting
    (odd / 'annotations' / 'instances_train.json').write_text('[]')
    monkeypatch.setattr(evaluating, 'keep_examples', lambda *args: 1 / 0)
    found = evaluate(small_config(odd, tmp_path / 'work'), run.dense.checkpoint)
    assert found['precision']['bbox']['AP'] is not None and found['examples'] == []
    assert found['left_out']['sample images'] == 'ZeroDivisionError: division by zero'
    assert 'training annotations per category' in found['left_out']


def test_an_unreadable_image_costs_its_picture(data, run, tmp_path, monkeypatch):
    monkeypatch.setattr('mmcv.imread', lambda *args, **kwargs: None)
    found = evaluate(small_config(data, tmp_path), run.dense.checkpoint)
    assert found['examples'] == [] and found['precision']['bbox']['categories']
    assert all('OpenCV does not read it' in why for why in found['left_out'].values())


def test_where_results_cannot_be_kept_is_said_first(run, tmp_path, monkeypatch):
    for part in run.rounds:
        (part.folder / paths.EVALUATION).unlink(missing_ok=True)
    said, spare = [], tmp_path / EVALUATIONS
    monkeypatch.setattr(evaluating, 'why_not_writable', lambda folder: f'{folder} is read-only')
    first = Evaluations.of_runs([run], said.append, spare)
    assert not first.problems and f'is kept in {spare}' in said[0].replace('are kept', 'is kept')
    assert not any((part.folder / paths.EVALUATION).exists() for part in run.rounds)
    monkeypatch.setattr(evaluating, 'evaluate', None)        # they are read, not made again
    assert Evaluations.of_runs([run], print, spare).get(run.ticket) == first.get(run.ticket)


def test_a_full_disk_costs_only_the_file(run, tmp_path, monkeypatch):
    for part in run.rounds:
        (part.folder / paths.EVALUATION).unlink(missing_ok=True)

    def full(path, text):
        raise UserError(f'{path} could not be written: no space')
    monkeypatch.setattr(evaluating, 'write_text', full)
    said = []
    found = Evaluations.of_runs([run], said.append, tmp_path)
    assert found.get(run.ticket)['precision'] and any('no space' in text for text in said)


def test_a_broken_network_costs_its_run(run, monkeypatch):
    (run.dense.folder / paths.EVALUATION).unlink(missing_ok=True)

    def broken(cfg, checkpoint):
        raise RuntimeError('CUDA out of memory')
    monkeypatch.setattr(evaluating, 'evaluate', broken)
    found = Evaluations.of_runs([run], print)
    assert found.problems == {run.name: 'RuntimeError: CUDA out of memory'}


def written(root, count=2):
    for seed in range(count):
        write_lottery(root / f'run_{seed}', {MAP: 0.6}, {MAP: 0.5}, seed=seed)
    return [str(root / f'run_{seed}') for seed in range(count)]


def test_one_damaged_lottery_is_left_out(tmp_path):
    folders = written(tmp_path)
    (Path(folders[1]) / paths.LOTTERY).write_text('{')
    found = find_runs(folders)
    assert [run.folder.name for run in found.runs] == ['run_0']
    assert 'cannot be read' in found.left_out['run_1']


def test_a_section_that_fails_is_named_and_the_rest_is_there(tmp_path, monkeypatch):
    folders, out = written(tmp_path), tmp_path / 'out'
    monkeypatch.setitem(ANALYSES.module_dict, 'rounds', lambda runs, evaluations: 1 / 0)
    tool = str(ROOT / 'tools' / 'analyze.py')
    monkeypatch.setattr(sys, 'argv', [tool, *folders, '-o', str(out)])
    with pytest.raises(SystemExit, match=r'failed: rounds \(ZeroDivisionError'):
        runpy.run_path(tool, run_name='__main__')
    text = (out / 'report.md').read_text()
    assert '## Which tickets win' in text and 'rounds (ZeroDivisionError' in text


def test_a_folder_that_cannot_be_written_to_is_told_first(tmp_path, monkeypatch):
    folders = written(tmp_path)
    (tmp_path / 'out').write_text('a file')
    monkeypatch.setitem(ANALYSES.module_dict, 'rounds',
                        lambda runs, evaluations: pytest.fail('begun'))
    with pytest.raises(UserError, match='could not be written'):
        analyze(folders, tmp_path / 'out', guard=Guard())


def test_a_failing_report_costs_no_lottery_its_table(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(chain_report, 'layers_section', lambda *args: 1 / 0)
    monkeypatch.setattr(lottery_runner, 'say', said.append)
    LotteryRunner(lottery_config(tmp_path / 'a')).train()
    assert any('| 1 ' in text and 'The lottery is drawn' in text for text in said)
    assert 'Dense against ticket' in (tmp_path / 'a' / 'report.md').read_text()
    monkeypatch.setattr(chain_report, 'write_report', lambda *args, **kwargs: 1 / 0)
    LotteryRunner(lottery_config(tmp_path / 'b')).train()
    assert 'The lottery is drawn' in said[-1]


@pytest.mark.parametrize('change', [
    lambda config: config.update(default_hooks=[1]), lambda config: config.update(model='a name'),
    lambda config: config.update(train_dataloader=[1])])
def test_a_lottery_of_another_make_is_left_out(tmp_path, change):
    written(tmp_path)
    path = tmp_path / 'run_1' / paths.LOTTERY
    lottery = json.loads(path.read_text())
    change(lottery['config'])
    path.write_text(json.dumps(lottery))
    found = find_runs([tmp_path / 'run_0', tmp_path / 'run_1'])
    assert [run.name for run in found.runs] == ['run_0']
    assert 'lottery.json is not what mmlth writes (' in found.left_out['run_1']
