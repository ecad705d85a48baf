"""Studies from end to end: kills, failures, several processes."""
import csv
import json
import re
import time

import pytest
import torch
from mmengine.registry import RUNNERS
from toy_study import run_tool, start_tool, write_base, write_study

from mmlth.core.files import write_json
from mmlth.studies import load_study
from mmlth.studies.times import read_sessions


def test_a_killed_study_goes_on(tmp_path, monkeypatch, capsys):
    """Shared round 0, sources first, the same results as single lotteries; nothing run twice."""
    path = write_study(
        tmp_path, dict(a=dict(sparsity=[0.8]), b=dict(sparsity=[0.9], to=['0it']),
                       c={'load_from': ['{first}/round_1/final.pth']}),
        sources=dict(first=dict(base='base.py', sparsity=0.9, to='0it')))
    out = tmp_path / 'out'
    process = start_tool(path, '--work-dir', out)
    while not list(out.glob('dense/*/rewind_4it.pth')):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()      # what it has started goes on alone: the next one waits for that
    process.wait()
    assert 'begun already, 0 of 3 runs are finished. Go on with --resume' in run_tool(
        monkeypatch, path, '--work-dir', out)
    capsys.readouterr()
    assert run_tool(monkeypatch, path, '--work-dir', out, '--resume') == 0
    text = capsys.readouterr().out
    assert '3 of 3 runs are finished' in text and 'jobs done, 0 running, 0 failed, 0 w' in text
    assert len(list((out / 'dense').iterdir())) == 2
    study = load_study(str(path))
    order = [text.index(f'{run.name}: started') for run in study.all_runs]
    assert order == sorted(order)
    for run in study.all_runs:
        cfg = run.located(out)
        cfg.work_dir = str(tmp_path / 'single' / run.name)
        RUNNERS.build(cfg).train()
        for r in (0, 1):
            one, other = (torch.load(folder / run.name / f'round_{r}/final.pth',
                                     weights_only=True)['state_dict']
                          for folder in (out / 'runs', tmp_path / 'single'))
            assert all(torch.equal(one[n], other[n]) for n in one), (run.name, r)
    rows = list(csv.DictReader((out / 'study/results.csv').open()))
    assert [row['part'] for row in rows] == ['a', 'b', 'c']
    page = (out / 'study/analysis/report.html').read_text()
    assert 'Which tickets win' in page
    assert all(float(row['change']) == pytest.approx(float(row['ticket']) - float(row['dense']))
               for row in rows)
    # A finished study, and another one with the same runs: nothing is left to do.
    stamps = {p: p.stat().st_mtime_ns for p in out.rglob('*.pth')}
    other = write_study(tmp_path, dict(z=dict(sparsity=[0.8])), name='other')
    for finished in (path, other):
        assert run_tool(monkeypatch, finished, '--work-dir', out) == 0
        assert 'started' not in capsys.readouterr().out
    assert stamps == {p: p.stat().st_mtime_ns for p in out.rglob('*.pth')}
    assert run_tool(monkeypatch, path, '--work-dir', out, '--dry-run') == 0
    assert '3 of 3 runs are finished; to do: 0 jobs' in capsys.readouterr().out
    # What is there was made of another config: it is neither counted nor overwritten.
    write_base(tmp_path, iters=8)
    assert 'begun with another config' in run_tool(monkeypatch, path, '--work-dir', out)
    assert stamps == {p: p.stat().st_mtime_ns for p in out.rglob('*.pth')}


def test_a_failed_run_is_reported_and_the_rest_goes_on(tmp_path, monkeypatch, capsys):
    path = write_study(tmp_path, dict(a={'optim_wrapper.optimizer.lr': [1e30, 0.1]}))
    assert run_tool(monkeypatch, path, '--work-dir', tmp_path / 'out', '--retries', '0',
                    '--jobs', '2') == 1
    text = capsys.readouterr().out
    assert '1 of 2 runs are finished' in text
    # When it fails, and at the end.
    assert text.count('failed: Error: backbone.0.weight has') == 2
    assert re.search(r'Disk: [\d.]+ [kM]B in .*/out, [\d.]+ GB free\.', text.splitlines()[-1])
    session, = read_sessions(tmp_path / 'out/study')
    assert session['jobs'] == 3 and session['complete'] is False and session['at_once'] == 2
    assert session['estimated_after'] == 1 and 0 < session['estimated']
    assert 0 < session['seconds'] and session['overhead'] >= 1
    assert 'Wall time: 3 jobs in ' in (tmp_path / 'out/study/results.md').read_text()
    assert text.count('| a | ') == 1


def test_a_bad_setting_is_told_before_anything_runs(tmp_path, monkeypatch):
    path = write_study(tmp_path, dict(a=dict(sparsity=[0.8, 80])))
    assert 'for 80 % write 0.8' in run_tool(monkeypatch, path, '--work-dir', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_each_run_on_two_processes(tmp_path, monkeypatch, capsys):
    """torchrun and gloo: the dense training and the lottery behind it."""
    write_base(tmp_path, model_wrapper_cfg=dict(type='MMDistributedDataParallel', device_ids=None,
                                                find_unused_parameters=True))
    path = write_study(tmp_path, dict(a=dict(sparsity=[0.8])))
    out = tmp_path / 'out'
    code = run_tool(monkeypatch, path, '--work-dir', out, '--nproc', '2')
    assert code == 0, capsys.readouterr().out
    rounds = json.loads(next(out.glob('runs/*/lottery.json')).read_text())['rounds']
    assert [entry['status'] for entry in rounds] == ['done', 'done']
    # Half of the data each: it was not one process twice.
    log = next(out.glob('dense/*/output.log')).read_text()
    config = next(out.glob('dense/*/*.py')).read_text()
    assert "launcher = 'pytorch'" in config or "launcher='pytorch'" in config, log


def test_what_a_dry_run_tells(tmp_path, monkeypatch, capsys):
    """Names, what differs, what is finished, and the time from what is known."""
    path = write_study(tmp_path, dict(a=dict(sparsity=[0.5, 0.8], rounds=[1, 3])))
    assert run_tool(monkeypatch, path, '--work-dir', tmp_path, '--dry-run') == 0
    text = capsys.readouterr().out
    assert '0 of 4 runs are finished; to do: 5 jobs, 9 trainings, time unknown' in text
    assert 'to come: unknown until a first run is finished, ' in text and text.endswith('free.\n')
    assert not (tmp_path / 'runs').exists()
    run = next(r for r in load_study(str(path)).runs if r.parts['a']['rounds'] == 1)
    entry = dict(status='done', scope_sparsity=0.5, network_sparsity=0.4, metrics={},
                 checkpoint='x', iterations=12, planned_iterations=12, seconds=60.0)
    write_json(tmp_path / 'runs' / run.name / 'lottery.json', dict(
        version=1, config=dict(train_cfg=dict(max_iters=12)),
        rounds=[dict(entry, round=0), dict(entry, round=1)]))
    run_tool(monkeypatch, path, '--work-dir', tmp_path, '--dry-run', '--jobs', '2')
    text = capsys.readouterr().out
    assert f'finished              {run.name}\n' in text
    assert '1 of 4 runs are finished; to do: 4 jobs, 8 trainings, about 5 min with 2' in text
    assert 'a: sparsity 0.5, rounds 3, seed 0' in text
    assert re.search(r'Disk: [\d.]+ kB in .*, about [\d.]+ kB to come, [\d.]+ GB free\.', text)
