"""Studies: how they expand, what they share, and what a finished one says."""
import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import RUNNERS
from toy import lottery_config

from mmlth.core.errors import UserError
from mmlth.studies import load_study
from mmlth.studies.dense import dense_name, is_shareable
from mmlth.studies.results import settings_text, summarise

ROOT = Path(__file__).parents[2]


def write_study(folder, axes, seeds=(0,), **spec):
    """A study of toy lotteries; returns its file."""
    base = lottery_config(folder / 'unused')
    base.custom_imports = dict(imports=['toy'])
    base.pop('work_dir')
    base.pop('experiment_name')
    base.dump(folder / 'base.py')
    spec = dict(base='base.py', axes=axes, seeds=list(seeds), metric='toy/AP', **spec)
    path = folder / 'study.py'
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in spec.items()))
    return path


def run_tool(*args):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', str(ROOT / 'tools/study.py'), *map(str, args)],
        capture_output=True, text=True, timeout=300,
        env={**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT / "tests"}'})


def test_axes_expand_to_combinations(tmp_path):
    path = write_study(tmp_path, dict(
        a=dict(sparsity=[0.8, 0.9], allocation=['global', 'layerwise']),
        b=dict(to=['4it', '0it'])), seeds=[0, 1])
    study = load_study(str(path))
    # The base's own settings belong to both parts and are run once.
    assert len(study.runs) == 2 * (4 + 2) - 2
    shared = [run for run in study.runs if set(run.parts) == {'a', 'b'}]
    assert len(shared) == 2 and shared[0].parts == dict(
        a=dict(sparsity=0.8, allocation='global', seed=0), b=dict(to='4it', seed=0))
    assert [run.cfg.randomness.seed for run in study.runs] == [0] * 5 + [1] * 5
    names = [run.name for run in study.runs]
    assert len(set(names)) == 10
    run = next(run for run in study.runs if 'layerwise' in run.name and '0.9' in run.name)
    assert run.cfg.default_hooks.prune.allocation == 'layerwise'
    assert run.cfg.default_hooks.prune.sparsity == 0.9 and run.cfg.randomness.seed == 0


def test_names_depend_on_what_differs_alone(tmp_path):
    first = load_study(str(write_study(tmp_path, dict(a=dict(sparsity=[0.9])))))
    # A new option with the base's value, and the order of axes, change no name.
    later = load_study(str(write_study(tmp_path, dict(
        other=dict(rounds=[1], sparsity=[0.9])))))
    assert [r.name for r in first.runs] == [r.name for r in later.runs]


def test_sixteen_combinations_of_modules():
    study = load_study(str(ROOT / 'configs/lth/studies/modules_voc.py'))
    assert len(study.runs) == 15      # without any module nothing is pruned: the dense model
    scopes = {tuple(run.parts['modules']['scope']) for run in study.runs}
    assert ('base', 'top', 'rpn', 'head') in scopes and len(scopes) == 15
    assert len({dense_name(run.cfg) for run in study.runs}) == 1


@pytest.mark.parametrize('change, message', [
    (dict(axes=dict(a=dict(sparsity=0.9))), 'expected a list'),
    (dict(axes=dict(a=dict(sparsity=[]))), 'expected a list'),
    (dict(axis=1), "unknown: .'axis'."),
])
def test_mistakes(tmp_path, change, message):
    spec = dict(axes=dict(a=dict(sparsity=[0.9])))
    spec.update(change)
    with pytest.raises(UserError, match=message):
        load_study(str(write_study(tmp_path, **spec)))


def test_what_shares_a_dense_training(tmp_path):
    path = write_study(tmp_path, dict(
        a=dict(sparsity=[0.8, 0.9], to=['0it', '4it']),
        b={'optim_wrapper.optimizer.lr': [0.2]}, c=dict(score=['snip'])))
    runs = {run.name: run for run in load_study(str(path)).runs}
    names = {dense_name(run.cfg) for run in runs.values() if 'lr' not in run.name}
    assert len(names) == 1      # sparsity, rewind point and score do not touch round 0
    assert len({dense_name(run.cfg) for run in runs.values()}) == 2
    assert [is_shareable(run.cfg) for name, run in runs.items() if 'snip' in name] == [False]


def test_a_study_end_to_end(tmp_path):
    """Shared round 0, the same results as single lotteries; nothing is run twice."""
    path = write_study(tmp_path, dict(a=dict(sparsity=[0.8, 0.9]), b=dict(to=['0it'])))
    result = run_tool(path, '--work-dir', tmp_path / 'out', '--jobs', '2')
    assert result.returncode == 0, result.stdout + result.stderr
    assert '3 of 3 runs are finished' in result.stdout
    assert len(list((tmp_path / 'out/dense').iterdir())) == 1
    for run in load_study(str(path)).runs:
        cfg = run.cfg
        cfg.work_dir = str(tmp_path / 'single' / run.name)
        RUNNERS.build(cfg).train()
        for r in (0, 1):
            one, other = (torch.load(folder / run.name / f'round_{r}/final.pth',
                                     weights_only=True)['state_dict']
                          for folder in (tmp_path / 'out/runs', tmp_path / 'single'))
            assert all(torch.equal(one[n], other[n]) for n in one), (run.name, r)
    rows = list(csv.DictReader((tmp_path / 'out/study/results.csv').open()))
    assert [row['part'] for row in rows] == ['a', 'a', 'b']
    for part in 'ab':
        assert (tmp_path / f'out/study/figures/{part}.png').read_bytes().startswith(b'\x89PNG')
    assert all(float(row['change']) == pytest.approx(float(row['ticket']) - float(row['dense']))
               for row in rows)
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / 'out').rglob('*.pth')}
    again = run_tool(path, '--work-dir', tmp_path / 'out')
    assert again.returncode == 0 and 'started' not in again.stdout
    assert stamps == {p: p.stat().st_mtime_ns for p in (tmp_path / 'out').rglob('*.pth')}


def test_a_failed_run_is_reported_and_the_rest_goes_on(tmp_path):
    path = write_study(tmp_path, dict(a={'optim_wrapper.optimizer.lr': [1e30, 0.1]}))
    result = run_tool(path, '--work-dir', tmp_path / 'out', '--retries', '0')
    assert result.returncode == 1
    assert '1 of 2 runs are finished' in result.stdout
    assert 'failed: Error: backbone.0.weight has' in result.stdout
    assert result.stdout.count('| a | ') == 1


def test_a_bad_setting_is_told_before_anything_runs(tmp_path):
    path = write_study(tmp_path, dict(a=dict(sparsity=[0.8, 80])))
    result = run_tool(path, '--work-dir', tmp_path / 'out')
    assert result.returncode == 1 and 'for 80 % write 0.8' in result.stderr
    assert not (tmp_path / 'out').exists()


def test_means_over_seeds():
    rows = [dict(part='a', settings=dict(sparsity=0.8), metric='toy/AP', seed=seed, scope_sparsity=0.8,
                 network_sparsity=0.7, dense=0.5, ticket=0.5 + change, change=change,
                 iterations=10, minutes=1.0) for seed, change in enumerate((0.1, 0.2, 0.3))]
    group, = summarise(rows)
    assert group['seeds'] == [0, 1, 2]
    assert group['change_mean'] == pytest.approx(0.2) and group['change_std'] == pytest.approx(0.1)
    assert summarise(rows[:1])[0]['change_std'] is None
    assert settings_text(dict(scope=['base', 'top'], rounds=3)) == 'scope base+top, rounds 3'
