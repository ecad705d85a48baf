"""The latency of tickets at the end of a lottery."""
import json

import pytest
import torch
from mmengine.dataset import sampler
from mmengine.registry import RUNNERS
from toy import lottery_config, toy_config

from mmlth.core import draw, paths, prunable
from mmlth.core.errors import UserError
from mmlth.datasets import make_digits
from mmlth.engine.chain import lottery_runner, table
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.ticket_latency import ticket_latency
from mmlth.engine.config import load_config
from mmlth.engine.costs import first_validation_batch
from mmlth.engine.preview import build_model
from mmlth.sparse import ops

FOUND = dict(dense_ms=30.0, sparse_ms=20.0, speedup=1.5, threads=1)


@pytest.mark.skipif(ops.unavailable() is not None, reason=str(ops.unavailable()))
def test_on_an_image_of_the_validation_data(tmp_path):
    cfg = load_config('configs/lth/faster_rcnn_r18_digits.py')
    digits = make_digits(tmp_path / 'digits', train=2, val=2)
    cfg.val_dataloader.dataset.data_root = str(digits)
    model = build_model(cfg)
    for name, keep in draw(prunable(model), 0.9).items():
        dict(model.named_parameters())[name].detach()[~keep] = 0
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'final.pth')
    threads = torch.get_num_threads()
    found = ticket_latency(cfg, tmp_path / 'final.pth')
    assert found['threads'] == 1 and threads == torch.get_num_threads()
    assert found['speedup'] == found['dense_ms'] / found['sparse_ms'] > 0
    assert ticket_latency(cfg, tmp_path / 'none.pth') is None      # with a warning, no error


@pytest.mark.parametrize('asked', [True, False])
def test_the_lottery_measures_once_unless_told_not_to(tmp_path, monkeypatch, asked):
    calls = []
    monkeypatch.setattr(lottery_runner, 'ticket_latency',
                        lambda cfg, path: calls.append(path) or dict(FOUND))
    cfg = lottery_config(tmp_path, **({} if asked else dict(latency=False)))
    RUNNERS.build(cfg).train()
    cfg.resume = True
    cfg.latency = True
    RUNNERS.build(cfg).train()      # what was left out is made up for, what is there stays
    assert calls == [tmp_path / 'round_1' / 'final.pth']
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert [entry['latency'] for entry in rounds] == [None, FOUND]
    assert '| 30.0     | 20.0      | 1.50x' in table.table(rounds, cfg, LotterySpec.of(cfg))
    assert 'filters, nor of' in (tmp_path / paths.REPORT).read_text()


def test_a_model_without_images_is_left_out(tmp_path):
    cfg = lottery_config(tmp_path)
    assert ticket_latency(cfg, tmp_path / 'none.pth') is None


def test_a_rank_takes_an_image_alone(tmp_path, monkeypatch):
    """The others wait for it: a sampler that asked them for a seed would wait for ever."""
    def fail():
        raise AssertionError('a collective that one rank enters alone')
    monkeypatch.setattr(sampler, 'sync_random_seed', fail)
    assert len(first_validation_batch(toy_config(tmp_path))['labels']) == 1


def test_settings_of_workers_take_no_part_in_an_image(tmp_path):
    cfg = toy_config(tmp_path)
    cfg.val_dataloader.update(num_workers=2, prefetch_factor=4, persistent_workers=True, timeout=60,
                              multiprocessing_context='spawn')
    assert len(first_validation_batch(cfg)['labels']) == 1
    cfg.val_dataloader.dataset.size = 'many'
    with pytest.raises(UserError, match='data give no image: TypeError'):
        first_validation_batch(cfg)
