"""Analyses of users: registered by what their configs import, or by what the tool is given."""
import json
import runpy
import sys
from pathlib import Path

import pytest
from written import MAP, write_lottery

from mmlth.analysis import analyze
from mmlth.analysis.analyze import analyses
from mmlth.analysis.sections import BUILT_IN
from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.registry import ANALYSES
from mmlth.report.guard import Guard

TOOL = str(Path(__file__).resolve().parents[2] / 'tools' / 'analyze.py')
MARGIN = '''
from mmlth.registry import ANALYSES
from mmlth.report import Section

@ANALYSES.register_module()
def margin(runs, evaluations):
    """How many points each ticket has above its dense model."""
    rows = [dict(run=run.folder.name, margin=metric.of(run.ticket.metrics)
                 - metric.of(run.dense.metrics)) for run in runs for metric in run.metrics]
    return [Section('margin', 'Margins', 'A text.', rows, dict(run='run', margin='points'))]
'''
BAD = '''
from mmlth.registry import ANALYSES
from mmlth.report import Figure, Section, Series

@ANALYSES.register_module()
def alone(runs, evaluations):
    return Section('alone', 'Alone', '')

@ANALYSES.register_module()
def taken(runs, evaluations):
    return [Section('verdict', 'Another', '')]

@ANALYSES.register_module()
def ragged(runs, evaluations):
    return [Section('ragged', 'Ragged', '', [dict(a=1), dict(b=2)])]

@ANALYSES.register_module()
def fine(runs, evaluations):
    return [Section('fine', 'All fine', '')]
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of a user's own; what it registers is forgotten afterwards."""
    folder = tmp_path / 'src' / 'own_package'
    folder.mkdir(parents=True)
    for name, text in dict(__init__='', margin=MARGIN, bad=BAD, broken='1 / 0').items():
        (folder / f'{name}.py').write_text(text)
    monkeypatch.syspath_prepend(str(folder.parent))
    yield
    for name in set(ANALYSES.module_dict) - set(BUILT_IN):
        del ANALYSES.module_dict[name]
    for name in [name for name in sys.modules if name.startswith('own_package')]:
        del sys.modules[name]


def write(folder, imports=(), **settings):
    """A lottery whose config imports modules."""
    write_lottery(folder, {MAP: 0.6}, {MAP: 0.625}, **settings)
    path = folder / paths.LOTTERY
    content = json.loads(path.read_text())
    content['config']['custom_imports'] = dict(imports=imports, allow_failed_imports=False)
    path.write_text(json.dumps(content))
    return folder


def test_what_a_lottery_imports_has_its_section_in_the_page(tmp_path, package):
    folder, guard = write(tmp_path / 'a', ['own_package.margin']), Guard()
    page = analyze([folder], tmp_path / 'out', guard=guard)
    text = (page.parent / 'report.md').read_text()
    titles = [line[3:] for line in text.splitlines() if line.startswith('## ')]
    assert titles == ['Overview', 'Which tickets win (Section 4.3 of the paper)',
                      'What the tickets cost', 'Margins']
    table = (page.parent / 'tables' / 'margin.csv').read_text().splitlines()
    assert table[0] == 'run,margin' and float(table[1].split(',')[1]) == pytest.approx(2.5)
    assert guard.failed == {} and list(analyses()) == [*BUILT_IN, 'margin']
    assert 'Not imported' not in text


def test_a_package_that_is_not_installed_costs_a_line(tmp_path, package):
    folders, guard = [write(tmp_path / 'a', 'gone_package.mod'),
                      write(tmp_path / 'b', ['gone_package.mod', 'own_package.broken'], seed=1)
                      ], Guard()
    page = analyze(folders, tmp_path / 'out', guard=guard)
    text = (page.parent / 'report.md').read_text().replace('\\', '')
    assert text.count('Not imported') == 1 and '## Which tickets win' in text
    assert ('Not imported, for it is not installed here: gone_package.mod (a, b: '
            "ModuleNotFoundError: No module named 'gone_package').") in text
    # What fails on its import is no missing package.
    assert guard.failed == {'the module own_package.broken': 'ZeroDivisionError: division by zero'}


def test_the_tool_imports_what_it_is_given(tmp_path, package, monkeypatch):
    folder, out = write(tmp_path / 'a'), tmp_path / 'out'
    monkeypatch.setattr(sys, 'argv', [TOOL, str(folder), '-o', str(out), '--import',
                                      'own_package.margin'])
    runpy.run_path(TOOL, run_name='__main__')
    assert '## Margins' in (out / 'report.md').read_text()
    with pytest.raises(UserError, match='the module own_pakage cannot be imported.*PYTHONPATH'):
        analyze([folder], tmp_path / 'other', imports=['own_pakage'])
    assert not (tmp_path / 'other').exists()


def test_an_analysis_that_cannot_be_written_costs_itself(tmp_path, package):
    guard = Guard()
    page = analyze([write(tmp_path / 'a')], tmp_path / 'out', guard=guard,
                   imports=['own_package.bad'])
    text = (page.parent / 'report.md').read_text()
    assert '## Which tickets win' in text and '## All fine' in text
    assert guard.failed['alone'].endswith('an analysis returns a list of sections, not a Section')
    assert "'verdict' is used twice" in guard.failed['taken']
    assert guard.failed.keys() == {'alone', 'taken', 'ragged'}
