"""What stands around the code says the same everywhere."""
import re
from pathlib import Path

import pytest
import yaml

import mmlth

ROOT = Path(__file__).resolve().parents[1]


def text(name):
    return (ROOT / name).read_text(encoding='utf-8')


def test_the_version_and_the_licence_are_the_same_everywhere():
    citation = yaml.safe_load(text('CITATION.cff'))
    setup = dict(re.findall(r"(version|license)='([^']+)'", text('setup.py')))
    assert setup == dict(version=mmlth.__version__, license=citation['license'])
    assert citation['version'] == mmlth.__version__
    assert re.search(r'^## (\S+)', text('CHANGELOG.md'), re.M)[1] == mmlth.__version__
    assert 'Apache License\n' in text('LICENSE') and citation['license'] == 'Apache-2.0'


def test_what_the_workflow_runs_is_there():
    workflow = yaml.safe_load(text('.github/workflows/test.yml'))
    steps = workflow['jobs']['test']['steps']
    commands = [step['run'] for step in steps if 'run' in step]
    assert commands and all((ROOT / command).stat().st_mode & 0o111 for command in commands)


@pytest.mark.parametrize('name, called', [('ruff', '/ruff'), ('mypy', ' -m mypy')])
def test_what_reads_the_code_is_pinned_and_runs_before_the_tests(name, called):
    assert re.search(rf'^{name}==\d', text('requirements.txt'), re.M)
    script = text('tools/run_tests.sh')
    assert 0 < script.index(called) < script.rindex('pytest')


def test_every_tool_is_named_in_the_changelog():
    listed = set(re.findall(r'`(\w+\.py)`', text('CHANGELOG.md')))
    assert {path.name for path in (ROOT / 'tools').glob('*.py')} <= listed | {'make_digits.py'}
