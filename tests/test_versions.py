"""What is too old is named when mmlth is imported, and pip replaces nothing."""
import re
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import mmdet
import pytest
from packaging.requirements import Requirement

from mmlth import versions

ROOT = Path(__file__).resolve().parents[1]

# Imports what the arguments say, among distributions of which one has another version.
PROGRAM = '''
import sys
from importlib import metadata
true = metadata.version
metadata.version = lambda name: sys.argv[2] if name == sys.argv[1] else true(name)
exec(sys.argv[3])
print('imported')
'''
BUILD = "from mmengine.registry import HOOKS; HOOKS.build(dict(type='mmlth.PruneHook'))"


def run(package, version, code):
    return subprocess.run([sys.executable, '-W', 'ignore', '-c', PROGRAM, package, version, code],
                          capture_output=True, text=True)


@pytest.mark.parametrize('package, version, code', [
    ('torch', '1.12.1+cu116', 'import mmlth.core'),
    ('mmcv', '1.7.2', 'import mmlth.engine'),
    ('mmengine', '0.7.4', BUILD),       # a config's type: mmengine hides an ImportError here
])
def test_what_is_too_old_is_named(package, version, code):
    result = run(package, version, code)
    assert result.returncode == 1 and 'imported' not in result.stdout
    assert result.stderr.splitlines()[-1] == (
        f'RuntimeError: mmlth does not work with {package} {version} (expected '
        f'{versions.MINIMUM[package]} or newer) of this environment: install a newer version that '
        'belongs to the other packages; the README, "Two commands", names a set that was tested '
        'together.')


@pytest.mark.parametrize('package, version', [
    ('torch', '1.13.1+cu117'), ('torch', '2.1.0a0+32f93b1'), ('mmcv', '2.0.1'),
    ('mmengine', '0.10.7'), ('mmengine', '1.0'), ('mmdet', '3.3.0')])
def test_what_is_new_enough_passes(package, version, monkeypatch):
    monkeypatch.setattr(metadata, 'version', lambda name: version)
    versions.check(package)


def test_the_core_asks_for_no_openmmlab():
    assert 'imported' in run('mmcv', '1.7.2', 'import mmlth.core').stdout


def test_the_old_name_of_mmcv_counts(monkeypatch):
    def version(name):
        if name != 'mmcv-full':
            raise metadata.PackageNotFoundError(name)
        return '1.7.0'
    monkeypatch.setattr(metadata, 'version', version)
    with pytest.raises(RuntimeError, match='mmcv 1.7.0 '):
        versions.check('mmcv', 'mmdet')
    versions.check('mmdet')     # not installed: not too old


def test_the_extra_asks_for_what_goes_together():
    """Of the newest that pip takes, MMDetection must import."""
    extra = {wanted.name: wanted.specifier for wanted in map(
        Requirement, runpy.run_path(str(ROOT / 'setup.py'))['OPENMMLAB'])}
    assert set(versions.MINIMUM) - {'mmpretrain'} <= set(extra)
    assert mmdet.mmcv_maximum_version not in extra['mmcv']
    for name, wanted in extra.items():
        assert metadata.version(name) in wanted and versions.MINIMUM.get(name, '1.26') in wanted


def test_pip_is_told_in_an_extra_only():
    """Else it would replace the builds that an environment was made of."""
    wanted = re.search(r'install_requires=(\[.*\])', (ROOT / 'setup.py').read_text())[1]
    assert not any(name in wanted for name in versions.MINIMUM)
