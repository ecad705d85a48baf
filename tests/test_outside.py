"""A package as a user writes it, known from ``custom_imports`` alone, through all that there is."""
import csv
import json
import sys
from pathlib import Path

import pytest
from mmengine.registry import HOOKS
from toy import lottery_config

from mmlth.analysis import analyze
from mmlth.core import Ticket, paths
from mmlth.engine.verify import verify
from mmlth.registry import ALLOCATIONS, ANALYSES, SCORES, STARTS, UPDATES
from mmlth.report.guard import Guard
from mmlth.studies import load_study
from mmlth.studies.description import write_description
from mmlth.studies.one import run_dense, run_one
from mmlth.studies.results import write_results

# Where the package's methods are found, and what they are called there.
REGISTRIES = {HOOKS: 'GentlePruneHook', SCORES: 'distance', ALLOCATIONS: 'spare_last',
              STARTS: 'mirrored', UPDATES: 'rolling', ANALYSES: 'margin'}
OUTSIDE = Path(__file__).parent / 'outside'
METHODS = ['layerwise', 'layerwise, mirrored', 'spare_last, distance score', 'rolling, layerwise']


@pytest.fixture(scope='module')
def package():
    """It can be imported here; what it registers is forgotten afterwards."""
    sys.path.insert(0, str(OUTSIDE))
    yield
    sys.path.remove(str(OUTSIDE))
    for registry, name in REGISTRIES.items():
        registry.module_dict.pop(name, None)
    for name in own_modules():
        del sys.modules[name]


def own_modules():
    return [name for name in sys.modules if name.split('.')[0] == 'own_methods']


@pytest.fixture(scope='module')
def study(tmp_path_factory, package):
    """A study whose base has the hook, and whose axes the methods, of a package of one's own."""
    root = tmp_path_factory.mktemp('study')
    base = lottery_config(root / 'unused', latency=False)
    base.custom_imports = dict(imports=['toy', 'own_methods'])
    base.default_hooks.prune = dict(type='GentlePruneHook')
    for key in ('work_dir', 'experiment_name'):
        base.pop(key)
    base.dump(root / 'base.py')
    spec = dict(base='base.py', seeds=[0], metric='toy/AP', axes=dict(
        starts=dict(mode=['weights', 'mirrored']),
        drawing=dict(score=['distance'], allocation=['spare_last']),
        updates=dict(update=[dict(type='rolling', interval=2)])))
    (root / 'study.py').write_text('\n'.join(f'{key} = {value!r}' for key, value in spec.items()))
    found = load_study(str(root / 'study.py'))
    write_description(found, root)
    run_dense(found, root, found.runs[0].name)
    for run in found.runs:
        run_one(found, root, run.name)
    return found, root


def test_a_study_and_its_report(study):
    found, root = study
    text = write_results(found, root)
    assert all(name in text for name in ('mirrored', 'distance', 'spare_last', 'rolling'))
    page = (root / found.name / 'analysis' / 'report.md').read_text()
    assert '## Margins' in page and all(label in page.replace('\\', '') for label in METHODS)


def test_each_lottery_is_what_its_methods_say(study):
    found, root = study
    usual, mirrored, drawn, rolling = (root / 'runs' / run.name for run in found.runs)
    lottery = json.loads((mirrored / paths.LOTTERY).read_text())
    assert lottery['hooks']['GentlePruneHook'] == 'PruneHook'
    assert lottery['rounds'][1]['scope_sparsity'] == pytest.approx(0.5, abs=0.01)
    report = (mirrored / 'report.md').read_text()
    assert 'starts from the negative of the weights of the rewind point' in report
    one, other = (Ticket.load(folder / 'round_1' / paths.TICKET) for folder in (usual, mirrored))
    for name, keep in one.mask.items():
        assert (other.state[name] == -one.state[name]).all() and (keep == other.mask[name]).all()
    mask = Ticket.load(drawn / 'round_1' / paths.TICKET).mask
    assert [bool(keep.all()) for keep in mask.values()] == [False] * (len(mask) - 1) + [True]
    began, ended = (Ticket.load(rolling / 'round_1' / name).mask
                    for name in (paths.TICKET, paths.FINAL_MASK))
    assert any((began[name] != ended[name]).any() for name in began)
    assert all(began[name].sum() == ended[name].sum() for name in began)
    assert all(map(verify, (usual, mirrored, drawn, rolling)))


def test_what_is_read_without_the_package(study, tmp_path, monkeypatch):
    """As on another machine: neither importable nor registered."""
    found, root = study
    monkeypatch.setattr(sys, 'path', [path for path in sys.path if path != str(OUTSIDE)])
    for name in own_modules():
        monkeypatch.delitem(sys.modules, name)
    for registry, name in REGISTRIES.items():
        monkeypatch.delitem(registry.module_dict, name)
    guard = Guard()
    page = analyze([root / 'runs' / run.name for run in found.runs], tmp_path / 'out', guard=guard)
    text = (page.parent / 'report.md').read_text().replace('\\', '')
    assert 'Not imported, for it is not installed here: own_methods (' in text
    assert guard.failed == {} and '## Margins' not in text
    with (page.parent / 'tables/overview.csv').open() as file:
        methods = {row['method'] for row in csv.DictReader(file)}
    assert methods == set(METHODS)
