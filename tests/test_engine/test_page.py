"""The lottery's own page: curves of its rounds, and what they find on a few images."""
import json
import math
from itertools import count

import pytest
from mmengine.registry import RUNNERS
from test_analysis.small_lottery import small_config, small_digits
from toy import ToyModel, lottery_config

from mmlth.core import paths
from mmlth.engine import LotteryRunner
from mmlth.engine.chain import report as chain_report
from mmlth.engine.chain.curves import POINTS, thinned
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.state import read_lottery
from mmlth.report.guard import Guard

TWENTY = {'train_cfg.max_iters': 20, 'train_cfg.val_interval': 5}


def page(work_dir):
    return (work_dir / paths.REPORT).read_text(encoding='utf-8')


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('toy')
    LotteryRunner.from_cfg(lottery_config(work_dir, **TWENTY)).train()
    return work_dir


def test_curves_are_what_the_rounds_have_logged(toy):
    html = page(toy)
    assert 'id="figure-curve_0"' in html and 'id="figure-curve_1"' in html
    rows = [row.split(',') for row in (toy / 'tables/curves.csv').read_text().splitlines()]
    rounds = read_lottery(toy / paths.LOTTERY)['rounds']
    for entry, name in zip(rounds, ('dense', 'round 1')):
        loss = [float(y) for key, label, _, y in rows if (key, label) == ('loss', name)]
        assert len(loss) == 20 and loss[-1] < loss[0]
        score = {int(x): float(y) for key, label, x, y in rows if (key, label) == ('toy/AP', name)}
        assert sorted(score) == [5, 10, 15, 20] and score[20] == entry['metrics']['toy/AP']


def test_a_resumed_training_has_its_whole_curve(tmp_path, monkeypatch):
    cfg = lottery_config(tmp_path, **TWENTY, **{'default_hooks.checkpoint.interval': 10})
    with monkeypatch.context() as patch:
        patch.setattr(ToyModel, 'train_step', fails_at(13, ToyModel.train_step))
        with pytest.raises(KeyboardInterrupt):
            LotteryRunner.from_cfg(cfg).train()
    cfg.resume = True
    LotteryRunner.from_cfg(cfg).train()
    curves = json.loads((tmp_path / 'round_0' / paths.CURVES).read_text())
    assert [x for x, _ in curves['loss']] == list(range(1, 21))
    assert [x for x, _ in curves['toy/AP']] == [5, 10, 15, 20]


def fails_at(call, step):
    calls = count(1)

    def failing(self, *args, **kwargs):
        if next(calls) == call:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)
    return failing


def test_each_round_logs_into_its_own_folder(tmp_path):
    """With a visualizer of a fixed name too, as in MMDetection's default runtime."""
    cfg = lottery_config(tmp_path, **TWENTY, **{'default_hooks.logger.interval': 10})
    cfg.visualizer = dict(type='Visualizer', name='visualizer', vis_backends=[
        dict(type='LocalVisBackend')])
    LotteryRunner.from_cfg(cfg).train()
    for folder in (tmp_path / 'round_0', tmp_path / 'round_1'):
        logs, = folder.glob('*/vis_data/scalars.json')
        steps = [json.loads(line)['step'] for line in logs.read_text().splitlines()
                 if '"loss"' in line]
        assert steps == sorted(set(steps)) and steps[-1] == 20


def test_long_courses_are_averaged():
    points = thinned([(x, float(x)) for x in range(1, 1001)] + [(1001, math.nan)])
    assert len(points) == POINTS and points[-1][0] == 1000
    assert sum(y for _, y in points) / POINTS == 500.5


def test_nothing_is_drawn_of_a_few_iterations(tmp_path):
    LotteryRunner.from_cfg(lottery_config(tmp_path)).train()
    assert 'id="section-curves"' not in page(tmp_path)
    assert 'id="section-samples"' not in page(tmp_path)     # its data have no images


@pytest.mark.parametrize('broken', ['curves_section', 'samples_section'])
def test_a_part_that_fails_costs_no_table(toy, monkeypatch, broken):
    def fail(*args):
        raise OSError('no room')
    monkeypatch.setattr(chain_report, broken, fail)
    state = read_lottery(toy / paths.LOTTERY)
    (toy / paths.REPORT).unlink()
    said = []
    cfg = lottery_config(toy, **TWENTY)
    chain_report.write(toy, state['rounds'], cfg, LotterySpec.of(cfg), Guard(said.append))
    assert any('no room' in text for text in said)
    assert 'Dense against ticket' in page(toy)
    assert ('id="section-curves"' in page(toy)) == (broken != 'curves_section')


@pytest.mark.slow
def test_samples_of_a_detector(tmp_path):
    data = small_digits(tmp_path / 'digits')
    cfg = small_config(data, tmp_path / 'lottery', iters=2)
    cfg.custom_hooks = [dict(type='EMAHook')]
    RUNNERS.build(cfg).train()
    content = json.loads((data / 'annotations/instances_val.json').read_text())
    kept = [json.loads((tmp_path / f'lottery/round_{k}' / paths.SAMPLES).read_text())
            for k in (0, 1)]
    assert [[s['path'] for s in samples] for samples in kept][0] == [s['path'] for s in kept[1]]
    assert len(kept[0]) == 3
    names = {category['id']: category['name'] for category in content['categories']}
    for sample in kept[0]:
        image, = (i for i in content['images'] if sample['path'].endswith(i['file_name']))
        wanted = sorted((names[a['category_id']], list(map(float, a['bbox'])))
                        for a in content['annotations'] if a['image_id'] == image['id'])
        assert sorted((o['category'], o['bbox']) for o in sample['truth']) == wanted
        assert (sample['width'], sample['height']) == (image['width'], image['height'])
    assert page(tmp_path / 'lottery').count('class="picture"') == 3
