"""Fine-tuning goes on from the end of the dense training: hooks are as they were there."""
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from toy import ToyDataset, lottery_config, run_lottery

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.state import trained_weights
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.preflight import check_settings
from mmlth.engine.chain.rounds import round_config


@DATASETS.register_module(force=True)
class PipedDataset(ToyDataset):
    pipeline = 'first'


@HOOKS.register_module(force=True)
class Pose(Hook):
    """Switches in one epoch alone, as MMPose's YOLOXPoseModeSwitchHook."""

    def __init__(self, num_last_epochs=2):
        self.num_last_epochs = num_last_epochs

    def before_train_epoch(self, runner):
        if runner.epoch + 1 == runner.max_epochs - self.num_last_epochs:
            runner.train_dataloader.dataset.pipeline = 'last'


@HOOKS.register_module(force=True)
class Attributes(Hook):
    """Has times in a form of its own, as MMPose's RTMOModeSwitchHook."""

    def __init__(self, epoch_attributes):
        self.epoch_attributes = epoch_attributes


@HOOKS.register_module(force=True)
class Watch(Hook):
    """What each epoch is trained with."""
    priority = 'LOWEST'
    seen, rates = [], {}

    def before_train_epoch(self, runner):
        first = runner.train_dataloader.dataset.pipeline == 'first'
        self.seen.append((runner.work_dir[-7:], runner.epoch, 'first' if first else 'last'))
        self.rates.update(runner.optim_wrapper.get_lr())


def config(work_dir, hooks, length='40%', **options):
    return lottery_config(
        work_dir, by_epoch=True, iters=20, val=False, latency=False, custom_hooks=hooks,
        train_dataloader=dict(dataset=dict(type='PipedDataset')),
        default_hooks=dict(rewind=dict(mode='finetune', length=length)), **options)


@pytest.mark.parametrize('by_epoch, begin', [
    (True, dict(begin_epoch=5)), (False, dict(begin_iter=6)), (True, dict(begin_iter=6))])
def test_the_average_has_begun(tmp_path, by_epoch, begin):
    ema = dict(type='EMAHook', momentum=0.3, **begin)
    iters = 20 if by_epoch else 12
    run_lottery(lottery_config(
        tmp_path, by_epoch=by_epoch, iters=iters, val=False, custom_hooks=[ema], latency=False,
        default_hooks=dict(rewind=dict(mode='finetune', length='25%'))))
    assert checkpoint_file.load(tmp_path / 'round_0' / paths.FINAL)['meta']['iter'] == iters
    final = checkpoint_file.load(tmp_path / 'round_1' / paths.FINAL)
    last = checkpoint_file.load(next((tmp_path / 'round_1').glob('[ei]*_[0-9].pth')))
    assert not torch.equal(trained_weights(last)['head.weight'], final['state_dict']['head.weight'])


@pytest.mark.parametrize('hook', [
    dict(type='mmdet.PipelineSwitchHook', switch_epoch=3, switch_pipeline=[]), dict(type='Pose'),
    dict(type='Pose', num_last_epochs=0)])
def test_the_pipeline_has_been_switched(tmp_path, monkeypatch, hook):
    monkeypatch.setattr(Watch, 'seen', [])
    run_lottery(config(tmp_path, [hook, dict(type='Watch')]))
    assert [seen[1:] for seen in Watch.seen if seen[0] == 'round_0'][::4] == [
        (0, 'first'), (4, 'last')]
    assert [seen for seen in Watch.seen if seen[0] == 'round_1'] == [
        ('round_1', 0, 'last'), ('round_1', 1, 'last')]


@pytest.mark.parametrize('hook', [
    dict(type='mmdet.PipelineSwitchHook', switch_epoch=5, switch_pipeline=[]),
    dict(type='Pose', num_last_epochs=5), dict(type='EMAHook')])
def test_what_the_dense_training_does_not_come_to_stays(tmp_path, hook):
    cfg = config(tmp_path, [hook])
    made = round_config(cfg, LotterySpec.of(cfg), tmp_path, 1, 3)
    assert made.custom_hooks == [hook]


def test_other_modes_begin_anew(tmp_path):
    cfg = config(tmp_path, [dict(type='EMAHook', begin_epoch=2)])
    cfg.default_hooks.rewind.update(mode='lr', length=None)
    assert round_config(cfg, LotterySpec.of(cfg), tmp_path, 1, 3).custom_hooks == cfg.custom_hooks


def test_hooks_with_other_times_are_named(tmp_path, capsys):
    """Before anything is trained; those of mmengine, ours and what is known are not."""
    cfg = config(tmp_path, [dict(type='Attributes', epoch_attributes={4: dict(a=1)}),
                            dict(type='Pose'), dict(type='EMAHook', begin_epoch=2)])
    check_settings(cfg)
    told = capsys.readouterr()
    assert (told.out + told.err).count('Attributes(epoch_attributes={4: ') == 1
    assert 'Pose(' not in told.out + told.err and 'Hook(begin' not in told.out + told.err


def test_the_logged_rate_is_the_last_one(tmp_path):
    """With several parameter groups mmengine logs a rate of its own, that of none."""
    run_lottery(config(
        tmp_path, [dict(type='Watch')], param_scheduler=[
            dict(type='MultiStepLR', by_epoch=True, milestones=[3], gamma=.1)],
        optim_wrapper=dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=.5))))))
    meta = Ticket.load(tmp_path / 'round_1' / paths.TICKET).meta
    assert meta['base_learning_rate'] == pytest.approx(0.01)
    assert {round(rate, 6) for rate in Watch.rates['lr']} == {0.005, 0.01}
    assert Watch.rates['base_lr'] == pytest.approx([0.01])
