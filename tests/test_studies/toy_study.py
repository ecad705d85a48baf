"""Studies of toy lotteries, and the tool that runs them."""
import os
import runpy
import subprocess
import sys
from pathlib import Path

from toy import lottery_config

from mmlth.engine.chain.state import LotteryState
from mmlth.studies.description import write_description
from mmlth.studies.study import run_dir

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/study.py'
_FOLDERS = (ROOT, ROOT / 'tests', ROOT / 'tests/child')
ENV = dict(PYTHONPATH=os.pathsep.join(map(str, _FOLDERS)), PYTHONWARNINGS='ignore')


def write_base(folder, name='base', **override):
    """A toy lottery's config; returns its file's name."""
    base = lottery_config(folder / 'unused', **override)
    base.custom_imports = dict(imports=['toy'])
    base.pop('work_dir')
    base.pop('experiment_name')
    base.dump(folder / f'{name}.py')
    return f'{name}.py'


def write_study(folder, axes, seeds=(0,), name='study', **spec):
    """A study of toy lotteries; returns its file."""
    if not (folder / 'base.py').exists():
        write_base(folder)
    spec = {**dict(base='base.py', axes=axes, seeds=list(seeds), metric='toy/AP'), **spec}
    path = folder / f'{name}.py'
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in spec.items()))
    return path


def finish(study, root, *metrics):
    """What finished runs leave in ``lottery.json``, without any training.

    ``metrics``: per run those of the dense model and of the ticket; the last of all further runs.
    """
    write_description(study, root)
    for index, run in enumerate(study.all_runs):
        cfg = run.located(root)
        cfg.work_dir = str(run_dir(root, run))
        state = LotteryState(cfg.work_dir, cfg, run.spec)
        for entry, found in zip(state.rounds, metrics[min(index, len(metrics) - 1)]):
            entry.update(
                status='done', metrics=found, scope_sparsity=0.8 * (entry['round'] > 0),
                network_sparsity=0.7 * (entry['round'] > 0), iterations=12,
                planned_iterations=12, seconds=1.0,
                checkpoint=f'round_{entry["round"]}/final.pth')
        state.save()


def run_tool(monkeypatch, *args):
    """Run tools/study.py in this process, its jobs in theirs; returns what it exits with."""
    monkeypatch.setattr(sys, 'argv', ['study.py', *map(str, args)])
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    try:
        runpy.run_path(str(TOOL), run_name='__main__')
    except SystemExit as end:
        return end.code
    return 0


def start_tool(*args):
    """Start tools/study.py in a process of its own."""
    return subprocess.Popen([sys.executable, str(TOOL), *map(str, args)], text=True,
                            env={**os.environ, **ENV}, stdout=subprocess.PIPE)
