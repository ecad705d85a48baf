"""A package of a user's own, found by custom_imports alone, from a lottery to the analysis."""
import json
from pathlib import Path

import pytest
from mmengine.config import Config
from own_packages import on_the_path
from toy import lottery_config, run_lottery

from mmlth.analysis import analyze
from mmlth.analysis.found.runs import read_run
from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine import PruneHook
from mmlth.engine.dump import read_dump
from mmlth.engine.hook_configs import build_hook, find_hook
from mmlth.engine.verify import verify
from mmlth.report.guard import Guard
from mmlth.studies import load_study
from mmlth.studies.one import run_dense, run_one
from mmlth.studies.results import collect

FOLDER, PACKAGE = Path(__file__).parent / 'outside', 'outside_methods'
STUDY = f'''
base = 'base.py'
metric = 'toy/AP'
axes = dict(
    # By names that are registered, and by a path with an argument; two rounds of the subclass.
    rounds=dict(score=[dict(type='{PACKAGE}.scores.powered', power=3)], allocation=['normalised'],
                mode=[dict(type='Midway', share=0.25)]),
    once=dict(score=['fisher'], allocation=['{PACKAGE}.allocations.evenly'], rounds=[1],
              dense=[False], update=[dict(type='{PACKAGE}.updates.Wander', interval=4)]))
'''


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """A study's work dir; the package is not installed any more."""
    root = tmp_path_factory.mktemp('outside')
    base = lottery_config('unused', to='0it', latency=False,
                          custom_imports=dict(imports=[PACKAGE], allow_failed_imports=False))
    base.default_hooks.prune = dict(type='HalfHook')
    for key in ('work_dir', 'experiment_name'):
        base.pop(key)
    base.dump(root / 'base.py')
    (root / 'study.py').write_text(STUDY)
    with on_the_path(FOLDER, PACKAGE):
        study = load_study(str(root / 'study.py'))
        run_dense(study, root, next(run.name for run in study.runs if run.spec.shares_dense))
        for run in study.runs:
            run_one(study, root, run.name)
        assert len(collect(study, root)) == 2
        here = {part: checked(root, run) for run in study.runs for part in run.parts}
        guard = Guard()
        page = analyze(folders(root), root / 'here', guard=guard)
        assert guard.failed == {}
    return root, here, (page.parent / 'report.md').read_text()


def folders(root):
    return sorted((root / 'runs').iterdir())


def checked(root, run):
    """The folder, its label, and what is verified."""
    folder = root / 'runs' / run.name
    return folder, read_run(folder).method, verify(folder)


def test_what_was_run_is_what_was_asked_for(root):
    root, here, _ = root
    folder, label, _ = here['rounds']
    lottery = json.loads((folder / paths.LOTTERY).read_text())
    assert lottery['hooks'] == dict(HalfHook='PruneHook')
    assert [entry['scope_sparsity'] for entry in lottery['rounds']] == pytest.approx(
        [0, 1 - 0.5 ** 0.5, 0.5], abs=0.01)
    assert label == 'normalised, powered(power=3) score, midway'
    text = (folder / 'report.md').read_text()
    assert 'weights between the trained ones and those of' in text
    assert 'Allocation: normalised; score: powered(power=3)' in text
    folder, label, _ = here['once']
    assert label == 'Wander, evenly, fisher score'
    assert 'weights wander, every 4 iterations' in (folder / 'report.md').read_text()
    entry = json.loads((folder / paths.LOTTERY).read_text())['rounds'][1]
    assert entry['scope_sparsity'] == pytest.approx(0.5, abs=0.01)
    assert (folder / 'round_1' / paths.FINAL_MASK).is_file()


def test_verify_asks_the_methods(root):
    _, here, _ = root
    assert any('as sparsity 0.5 says' in line for line in here['rounds'][2])
    assert any("as 'Midway' makes them" in line for line in here['rounds'][2])


def test_the_page_has_its_section(root):
    _, _, text = root
    assert '## Methods seen' in text and 'Wander, evenly, fisher score' in text


def test_an_analysis_imports_the_package_before_it_reads(root, tmp_path):
    """Its methods tell what trainings with them are called, and how long these are."""
    root, here, _ = root
    with on_the_path(FOLDER, PACKAGE):
        page = analyze(folders(root), tmp_path)
    text = (page.parent / 'report.md').read_text().replace('\\', '')
    assert f'{here["rounds"][1]}' in text and 'score, Midway' not in text


def test_where_the_package_is_not_installed(root, tmp_path):
    """Its names stand for it."""
    root, here, _ = root
    guard = Guard()
    page = analyze(folders(root), tmp_path, guard=guard)
    text = (page.parent / 'report.md').read_text().replace('\\', '')
    assert guard.failed == {} and '## Methods seen' not in text
    assert f'Not imported, for it is not installed here: {PACKAGE}' in text
    assert read_run(here['rounds'][0]).method == 'normalised, powered(power=3) score, Midway'
    assert read_run(here['once'][0]).method == 'Wander, evenly, fisher score'
    told = verify(here['rounds'][0])
    assert any('count not compared (allocation normalised)' in line for line in told)
    assert any('start weights not compared' in line for line in told)
    assert verify(here['once'][0])


def test_and_trained(root):
    """Before anything runs, what is missing is told."""
    root, _, _ = root
    with pytest.raises((UserError, ImportError), match=PACKAGE):
        load_study(str(root / 'study.py'))


@pytest.mark.parametrize('methods, label', [
    (dict(prune='score=scores.powered, allocation=allocations.normalised',
          rewind='mode=starts.Midway'), 'normalised, powered score, midway'),
    (dict(prune='allocation=allocations.evenly, update=dict(type=updates.Wander, interval=4)'),
     'Wander, evenly'),
    (dict(prune='score=dict(type=scores.powered, power=3), update=dict(type=Gradual, interval=4)'),
     'gradual pruning, powered(power=3) score')])
def test_in_a_pure_python_config(tmp_path, methods, label):
    """Methods as objects; what rounds dump is read without the names being registered."""
    base = lottery_config('unused', to='0it', latency=False)
    for key in ('work_dir', 'experiment_name'):
        base.pop(key)
    text = base.pretty_text
    for kind, arguments in methods.items():
        hook = f'mmlth.{kind.title()}Hook'
        assert hook in text
        text = text.replace(f"type='{hook}'", f"type='{hook}', {arguments}")
    (tmp_path / 'own.py').write_text(f'''
from mmengine.config import read_base
from mmlth.engine.updates import Gradual
from {PACKAGE} import allocations, scores, starts, updates
with read_base():
    from .nothing import *
{text}''')
    (tmp_path / 'nothing.py').write_text('')
    with on_the_path(FOLDER, PACKAGE):
        cfg = Config.fromfile(str(tmp_path / 'own.py'))
        cfg.work_dir = str(tmp_path / 'run')
        run_lottery(cfg)
        assert verify(tmp_path / 'run')
        assert read_run(tmp_path / 'run').method == label
    with on_the_path(FOLDER, PACKAGE):
        prune = find_hook(read_dump(next((tmp_path / 'run/round_0').glob('*.py'))), PruneHook)
        assert prune.type == 'mmlth.PruneHook' and build_hook(Config(dict(
            default_hooks=dict(prune=prune))), PruneHook).spec.rounds == 1
