"""Set-up's decisions, with a Python that does nothing."""
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ('requirements.txt', 'setup.py', 'tools/setup_env.sh')
# Makes an environment, asks nothing of pip, and is of version 3.11.
PYTHON = '''#!/bin/sh
case "$*" in
  --version) echo "Python {version}";;
  '-m venv '*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";;
  *ensurepip*) ;;
  *get_path*) dirname "$0";;
  *) exit 1;;
esac
'''


@pytest.fixture
def project(tmp_path):
    (tmp_path / 'tools').mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin/Python.h').touch()
    for name, version in (('python3.11', '3.11.2'), ('python3.9', '3.9.1'), ('g++', '12')):
        (tmp_path / 'bin' / name).write_text(PYTHON.format(version=version))
        (tmp_path / 'bin' / name).chmod(0o755)
    return tmp_path


def set_up(project, **settings):
    known = {key: value for key, value in os.environ.items()
             if key != 'PYTHON' and not key.startswith('MMLTH_')}
    path = f'{project / "bin"}{os.pathsep}{os.environ["PATH"]}'
    return subprocess.run(['bash', str(project / 'tools/setup_env.sh')], capture_output=True,
                          text=True, env={**known, 'PATH': path, **settings})


def test_an_environment_of_another_python_is_not_taken(project):
    """``PYTHON=python3.9 tools/try_stack.sh ...`` after the same with 3.11."""
    content = b''.join((project / name).read_bytes() for name in FILES)
    stamp = hashlib.sha256(content + b'2.13.0 0.10.7 2.1.0\n').hexdigest()[:16]
    venv = project / '.venv'
    subprocess.run([project / 'bin/python3.11', '-m', 'venv', venv], check=True)
    (venv / '.made').write_text(f'{venv} of Python 3.11.2\n')
    (venv / '.ready').write_text(f'{stamp} {venv}\n')
    for settings in ({}, dict(PYTHON='python3.11')):
        assert set_up(project, **settings).returncode == 0
    other = set_up(project, PYTHON='python3.9')
    assert other.returncode == 1 and 'of some pinned package for Python 3.9.1' in other.stderr
    assert (venv / '.made').read_text() == f'{venv} of Python 3.9.1\n'


@pytest.mark.parametrize('mmengine, yapf', [('0.8.4', '0.40.1'), ('0.10.2', None)])
def test_an_old_mmengine_gets_its_yapf(project, mmengine, yapf):
    assert set_up(project, MMLTH_MMENGINE=mmengine).returncode == 1     # pip does nothing
    pins = dict(line.split('==') for line in (ROOT / 'requirements.txt').read_text().split()
                if '==' in line)
    wanted = (project / '.venv/requirements.txt').read_text().splitlines()
    assert {f'mmengine=={mmengine}', f'yapf=={yapf or pins["yapf"]}'} <= set(wanted)
