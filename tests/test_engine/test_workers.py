"""Epoch-based trainings are exact although workers live on in their config."""
import random

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from toy import ToyDataset, lottery_config, run_lottery

from mmlth.core import checkpoint_file, paths
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.rounds import round_config
from mmlth.engine.chain.state import read_lottery


@DATASETS.register_module(force=True)
class NoisyDataset(ToyDataset):
    """Draws a number for each image, in the worker."""

    def __getitem__(self, index):
        found = super().__getitem__(index)
        return dict(found, inputs=found['inputs'] + random.random())


@HOOKS.register_module(force=True)
class EndsBefore(Hook):
    """Ends the process before an epoch, as a kill would."""
    epoch = None

    def before_train_epoch(self, runner):
        if runner.epoch == self.epoch:
            raise KeyboardInterrupt


def config(work_dir, **train_cfg):
    cfg = lottery_config(
        work_dir, by_epoch=True, val=False, latency=False, to='1ep', sparsity=0.0,
        schedule='resume', custom_hooks=[dict(type='EndsBefore')], train_dataloader=dict(
            num_workers=2, persistent_workers=True, dataset=dict(type='NoisyDataset')))
    cfg.train_cfg = train_cfg or cfg.train_cfg
    return cfg


def weights(work_dir, round):
    return checkpoint_file.load(work_dir / f'round_{round}' / paths.FINAL)['state_dict']


def same(a, b):
    return all(torch.equal(tensor, b[name]) for name, tensor in a.items())


def test_resumed_is_uninterrupted_and_nothing_pruned_is_dense(tmp_path, monkeypatch, capsys):
    run_lottery(config(tmp_path / 'whole'))
    assert same(weights(tmp_path / 'whole', 0), weights(tmp_path / 'whole', 1))
    told = capsys.readouterr()
    assert (told.out + told.err).count('persistent_workers is taken as False') == 1
    monkeypatch.setattr(EndsBefore, 'epoch', 1)
    with pytest.raises(KeyboardInterrupt):
        run_lottery(config(tmp_path / 'cut'))
    monkeypatch.setattr(EndsBefore, 'epoch', None)
    run_lottery(config(tmp_path / 'cut'), resume=True)      # by the config as it was
    assert same(weights(tmp_path / 'whole', 0), weights(tmp_path / 'cut', 0))
    noted = read_lottery(tmp_path / 'cut' / paths.LOTTERY)['config']
    assert noted['train_dataloader']['persistent_workers'] is True


@pytest.mark.parametrize('train_cfg, kept', [
    (dict(type='EpochBasedTrainLoop', max_epochs=3), False),
    (dict(by_epoch=True, max_epochs=3), False),
    (dict(type='IterBasedTrainLoop', max_iters=12), True),
    (dict(by_epoch=False, max_iters=12), True)])
def test_iterations_are_replayed_and_keep_their_workers(tmp_path, train_cfg, kept):
    cfg = config(tmp_path, **train_cfg)
    made = round_config(cfg, LotterySpec.of(cfg), tmp_path, 1, 3)
    assert made.train_dataloader.persistent_workers is kept
    assert cfg.train_dataloader.persistent_workers is True
