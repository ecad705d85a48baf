"""The tools that need no training, as a user runs them: data, a ticket, its latency."""
import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

from mmlth.core import Ticket, draw, prunable
from mmlth.engine.config import load_config
from mmlth.engine.preview import build_model
from mmlth.sparse import ops

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
CONFIG = 'configs/lth/faster_rcnn_r18_digits.py'


@pytest.fixture
def tool(monkeypatch, capsys):
    """Run a tool in this process: what it exits with, and what it prints."""
    def run(name, *args):
        script = str(TOOLS / f'{name}.py')
        monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')      # latency.py sets it
        try:
            code = runpy.run_path(script, run_name='__main__') and 0
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr().out
    return run


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A detector of digits of which 90 % are pruned."""
    torch.manual_seed(0)
    model = build_model(load_config(CONFIG))
    weights = prunable(model)
    mask = draw(weights, 0.9)
    with torch.no_grad():
        for name, weight in weights.items():
            weight.mul_(mask[name])
    path = tmp_path_factory.mktemp('checkpoint') / 'final.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def test_digits_and_a_ticket_of_them(tool, checkpoint, tmp_path):
    code, text = tool('make_digits', '--root', tmp_path / 'digits', '--train', 3, '--val', 2,
                      '--size', 96)
    assert code == 0 and str(tmp_path / 'digits') in text
    scenes = json.loads((tmp_path / 'digits/annotations/instances_train.json').read_text())
    assert [(image['width'], image['height']) for image in scenes['images']] == [(96, 96)] * 3

    ticket = tmp_path / 'ticket.safetensors'
    code, text = tool('draw_ticket', CONFIG, checkpoint, '-o', ticket, '--sparsity', 0.7,
                      '--lth', 'configs/lth/overrides/prune80.py')
    mask = Ticket.load(ticket).mask
    size, pruned = (sum(int(n) for n in numbers) for numbers in zip(*(
        (keep.numel(), (~keep).sum()) for keep in mask.values())))
    assert code == 0 and f'{pruned:,} of {size:,}' in text and pruned == round(0.7 * size)

    code, text = tool('draw_ticket', CONFIG, tmp_path / 'none.pth', '-o', tmp_path / 'none',
                      '--sparsity', 0.8)
    assert code.startswith('Error: ') and 'none.pth' in code and '\n' not in code
    assert not (tmp_path / 'none').exists()


@pytest.mark.skipif(ops.unavailable() is not None, reason=str(ops.unavailable()))
def test_the_latency_of_a_ticket(tool, checkpoint, tmp_path):
    code, text = tool('latency', CONFIG, checkpoint, '--shape', 96, 128, '--repeats', 1,
                      '--no-compile', '--threads', 1, 2, '--json', tmp_path / 'latency.json')
    assert code == 0 and text.count('speed-up') == 2
    first = json.loads((tmp_path / 'latency.json').read_text())
    assert [first['threads'], *(more['threads'] for more in first['more_threads'])] == [1, 2]
    assert first['max_relative_difference'] < 1e-4 and 'compile' not in first['forms']
    densities = {layer['name']: layer['density'] for layer in first['layers']}
    assert min(densities.values()) < 0.1 and max(densities.values()) > 0.2

    code, _ = tool('latency', CONFIG, tmp_path / 'none.pth', '--shape', 96, 128)
    assert code.startswith('Error: ') and 'none.pth' in code
