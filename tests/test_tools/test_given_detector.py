"""A detector that MMDetection has trained with EMA, and its ticket, as a user makes it."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmlth.analysis import analyze
from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.datasets import make_digits
from mmlth.engine.verify import verify

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_ticket_of_a_training_of_mmdetection(tmp_path, monkeypatch):
    make_digits(tmp_path / 'data' / 'digits_small', train=8, val=4, size=96)
    cfg = Config.fromfile(ROOT / 'configs/lth/faster_rcnn_r18_digits_small.py')
    cfg.merge_from_dict(dict(
        custom_hooks=[dict(type='EMAHook', momentum=0.3)],
        train_cfg=dict(max_iters=4, val_interval=4), model=dict(test_cfg=dict(rcnn=dict(
            score_thr=0.0))),
        default_hooks=dict(checkpoint=dict(interval=1, max_keep_ckpts=-1))))
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.batch_size, loader.dataset.data_root = 2, str(tmp_path / 'data' / 'digits_small')
    cfg.val_evaluator.ann_file = str(
        tmp_path / 'data' / 'digits_small' / 'annotations' / 'instances_val.json')
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.dump(tmp_path / 'detector.py')
    cfg.work_dir = str(tmp_path / 'dense')
    Runner.from_cfg(cfg).train()
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', str(ROOT / 'tools' / 'train.py'), 'detector.py', '--lth',
         str(ROOT / 'configs/lth/overrides/prune80.py'), '--dense', 'dense/iter_4.pth', '--rewind',
         'dense/iter_1.pth', '--work-dir', 'ticket', '--cfg-options',
         'default_hooks.rewind.schedule=resume', 'latency=False'],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0, done.stderr
    assert '| 0 (given, iter_4.pth) |' in done.stdout + done.stderr
    rounds = json.loads((tmp_path / 'ticket' / paths.LOTTERY).read_text())['rounds']
    assert rounds[0]['given']['dense']['averaged'] and rounds[0]['rewind_iteration'] == 1
    loaded = checkpoint_file.load(tmp_path / 'dense' / 'iter_4.pth')
    final = checkpoint_file.load(tmp_path / 'ticket' / 'round_0' / paths.FINAL)['state_dict']
    ticket = Ticket.load(tmp_path / 'ticket' / 'round_1' / paths.TICKET)
    # The average is the dense model; the mask is that of the weights that were trained.
    assert all(torch.equal(final[n], tensor) for n, tensor in loaded['state_dict'].items())
    trained = {n: loaded['ema_state_dict'][f'module.{n}'].abs() for n in ticket.mask}
    name = max(ticket.mask, key=lambda n: ticket.mask[n].numel())
    assert trained[name][ticket.mask[name]].min() >= trained[name][~ticket.mask[name]].max()
    start = checkpoint_file.load(tmp_path / 'dense' / 'iter_1.pth')['ema_state_dict']
    assert torch.equal(ticket.state[name], start[f'module.{name}'] * ticket.mask[name])
    monkeypatch.chdir(tmp_path)
    assert 'its weights are those of dense/iter_4.pth' in '\n'.join(verify('ticket'))
    assert analyze(['ticket'], 'report').is_file()
