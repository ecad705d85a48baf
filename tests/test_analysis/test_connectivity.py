"""The line between two children of a rewind point: measured on real trainings, kept, shown."""
import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from torch.utils.data import DataLoader
from toy import ToyDataset, ToyModel, lottery_config, run_lottery
from written import write_lottery

from mmlth.analysis.analyze import analyses
from mmlth.analysis.compare.barriers import barrier_of, error_axis, error_of
from mmlth.analysis.connectivity import connect
from mmlth.analysis.found.children import Child, Pair, find_children, find_pairs
from mmlth.analysis.found.runs import read_run
from mmlth.analysis.measure import connectivity as measured
from mmlth.analysis.measure.connectivity import LineSettings, known_line, line_of
from mmlth.analysis.measure.statistics import TrainingBatches, estimate
from mmlth.analysis.sections.connectivity import connectivity_sections
from mmlth.core import checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.core.files import write_json
from mmlth.metrics import metric_of

TOOL = Path(__file__).resolve().parents[2] / 'tools/connectivity.py'
FEW = LineSettings(points=5, images=12)


def child(root, noise, **kwargs):
    """A finished lottery; its folder's name tells what it is."""
    cfg = lottery_config(root / '_'.join([*kwargs, f'noise-{noise}']), **{
        'schedule': 'resume', 'to': '4it', 'latency': False, **kwargs})
    cfg.default_hooks.rewind.noise = noise
    run_lottery(cfg)
    return Path(cfg.work_dir)


@pytest.fixture(scope='module')
def children(tmp_path_factory):
    """Two siblings, 80 % pruned; two dense ones; one of another rewind point."""
    root = tmp_path_factory.mktemp('children')
    return [child(root, 1), child(root, 2), child(root, 1, sparsity=0.0),
            child(root, 2, sparsity=0.0), child(root, 1, randomness=dict(seed=4))]


def pair_of(*folders):
    return Pair(*(Child.of(read_run(folder)) for folder in folders))


def forget(*folders):
    for folder in folders:
        (folder / 'round_1' / paths.CONNECTIVITY).unlink(missing_ok=True)


def test_a_line_is_measured_once(children, monkeypatch):
    a, b = children[:2]
    said = []
    line = line_of(pair_of(a, b), FEW, said.append)
    assert [point['alpha'] for point in line['points']] == [0, 0.25, 0.5, 0.75, 1]
    assert line['images'] == 12 and len(said) == 1
    monkeypatch.setattr(measured, 'measure', lambda *args: pytest.fail('measured again'))
    assert line_of(pair_of(a, b), FEW, said.append) == line
    back = line_of(pair_of(b, a), FEW, said.append)
    assert back['points'][0] == dict(line['points'][-1], alpha=0) and len(said) == 1
    assert known_line(pair_of(*children[2:4])) is None
    monkeypatch.undo()
    again = line_of(pair_of(b, a), LineSettings(3, 12))
    assert len(again['points']) == 3 and again['points'][1]['loss'] == pytest.approx(
        line['points'][2]['loss'])
    forget(a, b)


def test_the_points_are_the_interpolated_networks(children):
    """Against the model itself: weights, statistics, loss and accuracy of the middle."""
    pair = pair_of(*children[:2])
    line = measured.measure(pair, FEW)
    a, b = (checkpoint_file.load(c.checkpoint)['state_dict'] for c in (pair.a, pair.b))
    model = ToyModel()
    model.load_state_dict({n: (a[n] + b[n]) / 2 if a[n].is_floating_point() else a[n] for n in a})
    dataset = DATASETS.build(dict(type='ToyDataset'))
    order = torch.randperm(24, generator=torch.Generator().manual_seed(3))[:12]
    batches = [dict(inputs=dataset.inputs[k], labels=dataset.labels[k]) for k in order.split(6)]
    means, losses = [], []
    model.train()
    with torch.no_grad():
        for batch in batches:
            means.append(model.backbone[0](batch['inputs']).mean((0, 2, 3)))
            losses.append(float(model(**batch, mode='loss')['loss']))
    assert line['points'][2]['loss'] == pytest.approx(sum(losses) / 2, rel=1e-5)
    norm = model.backbone[1]
    variances = [model.backbone[0](batch['inputs']).var((0, 2, 3)) for batch in batches]
    norm.running_mean, norm.running_var = sum(means) / 2, (sum(variances) / 2).detach()
    model.eval()
    right = (model(dataset.inputs, None).argmax(1) == dataset.labels).float().mean()
    assert line['points'][2]['metrics']['toy/AP'] == pytest.approx(100 * float(right), abs=1e-3)


def test_layers_that_a_training_leaves_alone_keep_their_statistics():
    class Frozen(ToyModel):
        def train(self, mode=True):
            super().train(mode)
            self.backbone[1].eval()
            return self

    loader = DataLoader(ToyDataset(), batch_size=6)
    for kind in (ToyModel, Frozen):
        torch.manual_seed(0)
        model = kind()
        norm = model.backbone[1]
        loss = estimate(model, TrainingBatches(loader, 1000, 0))
        assert bool(norm.running_mean.any()) == (kind is ToyModel)
        assert norm.momentum == 0.1 and not model.training and loss > 0


@HOOKS.register_module(force=True)
class Average(Hook):
    """Stands for an EMAHook, and keeps no copy."""

    def __init__(self, momentum):
        pass


def test_an_averaged_model_is_evaluated_at_each_point(tmp_path):
    kwargs = dict(custom_hooks=[dict(type='EMAHook', momentum=0.3)])
    pair = pair_of(*(child(tmp_path, noise, **kwargs) for noise in (1, 2)))
    plain = measured.measure(pair, FEW)
    for each in (pair.a, pair.b):
        for path in each.part.folder.glob('*.py'):
            path.write_text(path.read_text().replace("type='EMAHook'", "type='Average'"))
            assert 'EMAHook' not in path.read_text()
    assert measured.measure(pair, FEW)['points'] == plain['points']


def test_siblings_are_found(children):
    found, left_out = find_children([children[0].parent / name for name in
                                     (c.name for c in children)])
    pairs = find_pairs(found)
    assert {(p.a.run.folder, p.b.run.folder) for p in pairs} == {
        tuple(children[:2]), tuple(children[2:4])} and not left_out
    with pytest.raises(UserError, match='of these 3 networks no two differ in their SGD noise'):
        find_pairs([found[0], found[2], found[4]])
    assert find_pairs([found[0], found[4]])[0].apart == ['seed']
    files, _ = find_children([f'{children[0]}/round_1/iter_12.pth', children[1]])
    assert files[0].name.endswith('round_1/iter_12.pth') and not find_pairs(files)[0].apart
    with pytest.raises(UserError, match='there is no checkpoint'):
        find_children([f'{children[0]}/round_1/no.pth'])


def test_what_was_left_out_of_the_pairs_is_told(tmp_path):
    """That nothing is paired was all that was said."""
    for noise in (1, 2):
        write_lottery(tmp_path / f'noise-{noise}', {'coco/bbox_mAP': 0.5}, {'coco/bbox_mAP': 0.4},
                      rewind=dict(noise=noise), done=noise == 1)
    with pytest.raises(UserError, match=r'^noise-2 is left out: .*\nof these 1 networks no two'):
        connect([tmp_path / 'noise-1', tmp_path / 'noise-2'], FEW)


def test_what_is_no_sibling_is_said(children):
    text = connect([children[0], children[2]], FEW)
    assert 'but in sparsity. Their rewind points have the same weights.' in text
    assert 'Their masks differ (IoU 0.200)' in text and 'union of both masks' in text
    text = connect([children[0], children[4]], FEW)
    assert 'but in seed. Their rewind points have other weights' in text
    forget(*children)


def test_other_models_are_refused(children, tmp_path):
    other = child(tmp_path, 1, model=dict(width=4))
    with pytest.raises(UserError, match='has shape .* Both ends must be of one model'):
        connect([children[0], other], FEW)


def test_the_section_waits_for_the_tool(children, tmp_path):
    runs = [read_run(folder) for folder in children]
    with pytest.raises(UserError, match='2 pairs .* are not measured: run tools/connectivity.py'):
        connectivity_sections(runs, None)
    with pytest.raises(UserError, match='no two lotteries differ in their SGD noise alone'):
        connectivity_sections(runs[1:3], None)
    text = connect(children, FEW, tmp_path / 'all.json', tmp_path / 'page')
    section, = analyses()['linear mode connectivity'](runs, None)
    assert {(row['network'], row['error']) for row in section.rows} == {
        (network, error) for network in ('dense children', '80 % pruned')
        for error in ('-(toy/AP)', 'training loss')}
    barriers, = [f for f in section.figures if f.key.startswith('barrier') and 'loss' not in f.key]
    assert {s.label: list(s.x) for s in barriers.series} == {
        'dense children': [4], '80 % pruned': [4]}
    numbers = json.loads((tmp_path / 'all.json').read_text())
    assert [entry['siblings'] for entry in numbers] == [True, True]
    for entry, row in zip(numbers, section.rows):
        assert f'{row["barrier"]:.3f}' in text
        assert entry['barriers']['-(toy/AP)']['height'] == row['barrier']
    assert (tmp_path / 'page/report.html').is_file()
    forget(*children)


def test_a_line_outlives_its_networks(children, tmp_path):
    """Known by what an evaluation has noted of them; a pair of which nothing is known costs itself.
    """
    for number, folder in enumerate(children[:2]):
        shutil.copytree(folder, tmp_path / str(number))
    pair = pair_of(tmp_path / '0', tmp_path / '1')
    forget(tmp_path / '0', tmp_path / '1')
    line = line_of(pair, FEW, print)
    for child, weights in zip((pair.a, pair.b), line['weights']):
        write_json(child.part.folder / paths.EVALUATION, dict(version=1, weights=weights))
        child.checkpoint.unlink()
    assert known_line(pair) == line
    (pair.b.part.folder / paths.EVALUATION).unlink()
    assert known_line(pair) is None
    runs = [read_run(folder) for folder in (tmp_path / '0', tmp_path / '1')]
    with pytest.raises(UserError, match='1 pairs of lotteries differ in their SGD noise alone'):
        connectivity_sections(runs, None)


def test_the_tool(children, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
        runpy.run_path(str(TOOL), run_name='__main__')

    run(*children[:2], '--points', 3, '--images', 6)
    table = capsys.readouterr().out.splitlines()
    assert 'batch norm by 6 training images at each point' in table[1]
    assert [line.split()[0] for line in table[2:]] == [
        'alpha', '0.000', '0.500', '1.000', 'barrier']
    with pytest.raises(SystemExit, match='Error: a line needs 3 points at least, .* got 2 points'):
        run(*children[:2], '--points', 2)
    with pytest.raises(SystemExit, match='Error: of these 1 networks no two differ'):
        run(children[0])
    forget(*children)


@pytest.mark.parametrize('name, factor, error, axis', [
    ('coco/bbox_mAP', 100, lambda v: 100 - v, '100 - detection mAP (%)'),
    ('coco/NME', 100, lambda v: v, 'keypoints NME (%)'),
    ('own/score', 1, lambda v: -v, '-(own/score)')])
def test_barriers_are_heights_above_the_mean_of_the_ends(name, factor, error, axis):
    metric, values = metric_of(name), [0.5, 0.3, 0.2, 0.6]
    line = dict(points=[dict(alpha=k / 3, loss=1.0, metrics={name: v})
                        for k, v in enumerate(values)])
    barrier, errors = barrier_of(line, metric), [error(factor * v) for v in values]
    assert error_axis(metric) == axis and error_of(metric, 30.0) == error(30.0)
    assert barrier.height == pytest.approx(max(errors) - (errors[0] + errors[-1]) / 2)
    assert barrier.at == (2 / 3 if error(1.0) != 1.0 else 1.0)
    assert barrier_of(line, None).height == 0
    del line['points'][1]['metrics'][name]
    assert barrier_of(line, metric) is None
