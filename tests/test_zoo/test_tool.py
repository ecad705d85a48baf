"""tools/zoo_coverage.py on a small library of its own."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools/zoo_coverage.py'
MODELS = '''
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import nn


@MODELS.register_module()
class ZooModel(BaseModel):
    """Two layers, or a norm alone, in which nothing can be pruned."""

    def __init__(self, width=8, norm_only=False):
        super().__init__()
        self.backbone = nn.BatchNorm2d(3) if norm_only else nn.Conv2d(3, width, 3)
        self.head = nn.Identity() if norm_only else nn.Linear(width, 4)

    def forward(self, inputs, mode='tensor'):
        return inputs
'''
BASE = '''
default_scope = 'mmengine'
model = dict(type='ZooModel', width={width}, norm_only={norm_only})
train_dataloader = dict(dataset=dict(type='Never'))
train_cfg = dict(by_epoch=True, max_epochs=100)
optim_wrapper = dict(optimizer=dict(type='SGD', lr={lr}, momentum=0.9))
'''
CONFIGS = {
    'good/one.py': BASE.format(width=8, norm_only=False, lr=0.1),
    'good/two.py': BASE.format(width=8, norm_only=False, lr=0.1) + 'seed = 2\n',
    'good/other.py': BASE.format(width=8, norm_only=False, lr=0.2),
    'bad/norms.py': BASE.format(width=8, norm_only=True, lr=0.1),
    'bad/unknown.py': BASE.format(width=8, norm_only=False, lr=0.1).replace('ZooModel', 'None_'),
    'bad/part.py': 'seed = 1\n'}


@pytest.fixture
def library(tmp_path):
    package = tmp_path / 'zoolib'
    for module in ('datasets', 'engine', 'evaluation', 'visualization', '__init__'):
        (package / f'{module}.py').parent.mkdir(exist_ok=True)
        (package / f'{module}.py').write_text('')
    (package / 'models.py').write_text(MODELS)
    for name, text in CONFIGS.items():
        path = package / '.mim/configs' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(folder, *args):
    path = os.pathsep.join([str(folder), str(TOOL.parents[1]), os.environ['PYTHONPATH']])
    return subprocess.run([sys.executable, str(TOOL), '--library', 'zoolib', *args], text=True,
                          capture_output=True, env={**os.environ, 'PYTHONPATH': path})


def test_a_failure_is_reported_and_is_the_exit_code(library):
    file = library / 'zoo.json'
    done = run(library, '--jobs', '2', '--json', str(file))
    assert done.returncode == 1, done.stderr
    assert 'zoolib: 3/4 configs passed (75.0%); they have 3 distinct networks' in done.stdout
    assert 'FAILED bad/norms.py: UserError: the scope None holds no weights' in done.stdout
    assert '1 of 6 config files stock cannot build here:' in done.stdout
    assert '1 x KeyError: None_ is not in the mmengine::model registry' in done.stdout
    assert '1 of 6 config files are no model configs:' in done.stdout
    rows = {row['name']: row for row in json.loads(file.read_text())['configs']}
    assert rows['good/two.py']['checked'] == 'good/one.py'
    assert rows['good/one.py']['scope_weights'] == 3 * 8 * 9 + 8 * 4
    assert rows['good/one.py']['network_weights'] == 3 * 8 * 9 + 8 + 8 * 4 + 4

    # The failed one is mended: only it is checked again.
    (library / 'zoolib/.mim/configs/bad/norms.py').write_text(CONFIGS['good/one.py'] + 'a = 1\n')
    path = library / 'zoolib/.mim/configs/bad/norms.py'
    path.write_text(path.read_text().replace('width=8', 'width=5'))
    done = run(library, '--json', str(file), '--resume')
    assert done.returncode == 0, done.stderr
    assert 'zoolib: 4/4 configs passed (100.0%)' in done.stdout
    assert '1/1 zoolib bad/norms.py: passed' in done.stderr


def test_resume_needs_a_file(library):
    done = run(library, '--resume')
    assert done.returncode == 1 and '--resume needs --json FILE' in done.stderr
