"""Ordinary mistakes on the command line end with one line that says what is wrong."""
import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from toy import ToyModel, toy_config

from mmlth.core import Ticket
from mmlth.core.errors import UserError
from mmlth.engine.config import load_config

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / 'configs/lth/faster_rcnn_r18_digits_small.py'
FILES = {
    'syntax.py': 'a = (\n', 'gone.py': "_base_ = './none.py'\n", 'one.py': 'a = 1\n',
    'two.py': 'a = 2\n', 'twice.py': "_base_ = ['./one.py', './two.py']\n", 'x.txt': 'a = 1\n',
    'raises.py': "raise ValueError('boom')\n", 'model.py': "model = dict(type='ToyModel')\n"}


def tool(monkeypatch, name, *args):
    script = str(ROOT / f'tools/{name}.py')
    monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    try:
        runpy.run_path(script, run_name='__main__')
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.parametrize('name, args, message', [
    ('scope', ['syntax.py'], 'syntax.py cannot be read'),
    ('scope', ['gone.py'], 'gone.py cannot be read: FileNotFoundError'),
    ('scope', ['twice.py'], 'twice.py cannot be read: KeyError'),
    ('scope', ['x.txt'], 'x.txt cannot be read: OSError'),
    ('scope', ['raises.py'], 'raises.py cannot be read: ValueError: boom'),
    ('scope', [DIGITS, '--cfg-options', 'model.type.x=1'], 'model.type'),
    ('scope', [DIGITS, '--cfg-options', 'train_dataloader.dataset.pipeline.77.scale=3'],
     'train_dataloader.dataset.pipeline'),
    ('scope', [DIGITS, '--cfg-options', 'model.type=FasterRNN'],
     "the config's model cannot be built: FasterRNN is not in the"),
    ('scope', ['one.py'], 'the config has no model'),
    ('pack', ['one.py', 'model.pth', '-o', 'm.safetensors'], 'the config has no model'),
    ('train', ['model.py', '--amp'], '--amp needs an optim_wrapper in the config'),
    ('test', ['model.py', 'model.pth'],
     'the config has no test_dataloader, no test_cfg, no test_evaluator: there is nothing to test'),
    ('test', ['model.py', 'model.pth', '--out', 'o.pkl'], 'no test_evaluator'),
    ('test', [DIGITS, 'broken.pth'], 'broken.pth cannot be read as a checkpoint'),
    ('test', [DIGITS, 'none.pth'], 'there is no checkpoint none.pth'),
    ('test', [DIGITS, 'a.safetensors'], 'a.safetensors is a ticket'),
    ('latency', [DIGITS, '--image', 'none.jpg'], 'the image none.jpg cannot be read'),
    ('latency', [DIGITS, '--image', 'one.py'], 'one.py cannot be decoded: it is no image'),
    ('latency', [DIGITS, '--repeats', '0'], 'repeats: expected a whole number, at least 1, got 0'),
    ('latency', [DIGITS, '--threads', '1', '0'], 'threads: expected a whole number, at least 1'),
    ('latency', [DIGITS, '--shape', '0', '0'], 'shape: expected a whole number, at least 1'),
])
def test_one_line(monkeypatch, tmp_path, name, args, message):
    monkeypatch.chdir(tmp_path)
    for file, text in {**FILES, 'broken.pth': 'x'}.items():
        (tmp_path / file).write_text(text)
    torch.save(dict(state_dict=ToyModel().state_dict()), 'model.pth')
    Ticket({'a': torch.ones(3, dtype=torch.bool)}).save('a.safetensors')
    line = tool(monkeypatch, name, *args)
    assert isinstance(line, str) and line.startswith('Error: ') and message in line, line


@pytest.fixture
def outputs():
    """``add_outputs`` of tools/test.py, on a config with this visualization hook."""
    add_outputs = runpy.run_path(str(ROOT / 'tools/test.py'))['add_outputs']

    def add(hook, scope):
        class Args:
            show, show_dir, wait_time, out = False, 'pics', 2, None
        cfg = Config(dict(default_scope=scope, default_hooks=dict(visualization=hook)))
        return add_outputs(cfg, Args).default_hooks.visualization
    return add


@pytest.mark.parametrize('scope, kind, names', [
    ('mmdet', 'DetVisualizationHook', ('draw', 'test_out_dir')),
    ('mmpose', 'PoseVisualizationHook', ('enable', 'out_dir')),
    ('mmpretrain', 'VisualizationHook', ('enable', 'out_dir'))])
def test_pictures_by_the_arguments_that_a_hook_has(outputs, scope, kind, names):
    hook = outputs(dict(type=kind), scope)
    assert (hook[names[0]], hook[names[1]], hook.show) == (True, 'pics', False)
    assert set(hook) == {'type', 'show', 'wait_time', *names}


def test_what_is_merged_is_named(tmp_path):
    (tmp_path / 'over.py').write_text("work_dir = dict(a=1)\nmodel = dict(type=dict(x=1))\n")
    (tmp_path / 'base.py').write_text(toy_config(tmp_path).pretty_text)
    with pytest.raises(UserError, match=r'over\.py cannot be merged into the config'):
        load_config(str(tmp_path / 'base.py'), str(tmp_path / 'over.py'))
