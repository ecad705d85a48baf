"""Subclasses of our hooks, with their own defaults, through a study, its report, the analysis."""
import json

import pytest
from mmengine.registry import HOOKS
from toy import lottery_config, run_lottery
from toy_study import write_base, write_study

from mmlth.analysis.found.runs import read_run
from mmlth.core import paths
from mmlth.engine import EarlyBirdHook, PruneHook, RewindHook
from mmlth.studies import load_study
from mmlth.studies.one import run_dense, run_one
from mmlth.studies.results import collect


@HOOKS.register_module(force=True)
class TwiceHook(PruneHook):
    """Two rounds, and a sparsity that is set below the signature."""

    def __init__(self, rounds=2, **kwargs):
        super().__init__(rounds=rounds, **{'sparsity': 0.75, **kwargs})


@HOOKS.register_module(force=True)
class RateHook(RewindHook):
    """Tickets go on from their trained weights."""

    def __init__(self, mode='lr', **kwargs):
        super().__init__(mode=mode, **kwargs)


@HOOKS.register_module(force=True)
class SoonHook(EarlyBirdHook):
    """Ends the training at its half."""

    def __init__(self, **kwargs):
        super().__init__(interval=3, **{'stop': dict(at='50%'), **kwargs})


def test_a_study_of_subclasses(tmp_path):
    write_base(tmp_path, latency=False, default_hooks=dict(
        prune=dict(_delete_=True, type='TwiceHook'),
        rewind=dict(_delete_=True, type='RateHook')))
    study = load_study(str(write_study(tmp_path, dict(a=dict(allocation=['layerwise'])))))
    run, = study.runs
    assert run.spec.rounds == 2 and run.spec.shares_dense
    run_dense(study, tmp_path, run.name)
    run_one(study, tmp_path, run.name)
    folder = tmp_path / 'runs' / run.name
    lottery = json.loads((folder / paths.LOTTERY).read_text())
    assert lottery['hooks'] == dict(TwiceHook='PruneHook', RateHook='RewindHook')
    assert [entry['scope_sparsity'] for entry in lottery['rounds']] == pytest.approx(
        [0, 0.5, 0.75], abs=0.01)
    assert 'A ticket starts from its trained weights' in (folder / 'report.md').read_text()
    row, = collect(study, tmp_path)
    assert (row['from_start'], row['chain']) == (36, 36)    # not rewound: through all rounds
    found = read_run(folder)
    assert found.method == 'layerwise, learning rate rewinding'
    assert [part.length.from_start for part in found.rounds] == [12, 24, 36]


def test_an_early_bird_of_a_subclass_is_one(tmp_path):
    cfg = lottery_config(tmp_path, to='0it', latency=False)
    cfg.default_hooks.early_bird = dict(type='SoonHook')
    run_lottery(cfg)
    dense = read_run(tmp_path).dense
    assert dense.iterations == 6 and dense.ended_by == 'SoonHook' and dense.found_early
    assert 'with the early-bird ticket: 6 saved' in (tmp_path / 'report.md').read_text()
