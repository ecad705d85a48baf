"""A round goes on where it was killed, whatever its CheckpointHook saves."""
import re
from pathlib import Path

import pytest
import torch
from mmengine.fileio import FileClient, LocalBackend, register_backend
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from toy import lottery_config, run_lottery

from mmlth.core import checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.rounds import round_config


@HOOKS.register_module(force=True)
class Killed(Hook):
    """Ends a training in the middle, once; notes which iterations were run."""
    at, ran = None, []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.ran.append(runner.iter)
        if runner.iter + 1 == self.at:
            type(self).at = None
            raise KeyboardInterrupt

    @classmethod
    def run(cls, cfg, at):
        cls.at = at
        with pytest.raises(KeyboardInterrupt):
            run_lottery(cfg)
        cls.ran = []
        run_lottery(cfg, resume=True)
        return cls.ran[0]


@register_backend('elsewhere', force=True, prefixes='elsewhere')
class Elsewhere(LocalBackend):
    """Storage that is not in the work dir, and has no links."""
    folder = None

    def _path(self, uri):
        return str(self.folder / re.sub('^elsewhere://', '', str(uri)))

    def put(self, obj, filepath):
        super().put(obj, self._path(filepath))

    def isfile(self, filepath):
        return super().isfile(self._path(filepath))

    def join_path(self, *parts):
        return '/'.join(map(str, parts))


FileClient.register_backend('elsewhere', Elsewhere, force=True, prefixes='elsewhere')


def config(work_dir, checkpoint, **options):
    return lottery_config(work_dir, latency=False, custom_hooks=[dict(type='Killed')],
                          default_hooks=dict(checkpoint=checkpoint), **options)


def finals(work_dir):
    return [checkpoint_file.load(Path(work_dir) / f'round_{r}' / paths.FINAL)['state_dict']
            for r in (0, 1)]


def assert_same(first, second):
    for one, other in zip(finals(first), finals(second)):
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    run_lottery(config(folder, dict(interval=5)))
    return folder


@pytest.mark.parametrize('checkpoint', [
    dict(save_optimizer=False), dict(save_param_scheduler=False),
    dict(out_dir='elsewhere://bucket'),
    dict(interval=-1, save_last=False, save_best='toy/AP', rule='greater')])
def test_a_checkpoint_that_lacks_something(tmp_path, whole, checkpoint):
    Elsewhere.folder = tmp_path / 'elsewhere'
    cfg = config(tmp_path / 'cut', dict(dict(interval=5, by_epoch=False), **checkpoint))
    cfg.train_cfg.val_interval = 4
    first = Killed.run(cfg, at=11)
    assert first in (10, 9, 5)
    assert_same(whole, tmp_path / 'cut')
    if 'out_dir' in checkpoint:
        assert (Elsewhere.folder / 'bucket/cut/round_0/iter_5.pth').is_file()


def test_an_epoch_that_is_saved_inside_goes_on_at_its_end(tmp_path):
    options = dict(checkpoint=dict(by_epoch=False, interval=3), by_epoch=True, to='2ep')
    run_lottery(config(tmp_path / 'whole', **options))
    assert Killed.run(config(tmp_path / 'cut', **options), at=7) == 4
    assert_same(tmp_path / 'whole', tmp_path / 'cut')


def test_what_an_older_version_has_saved_inside_an_epoch_is_refused(tmp_path):
    cfg = config(tmp_path, dict(by_epoch=False, interval=3), by_epoch=True)
    Killed.at = 6
    with pytest.raises(KeyboardInterrupt):
        run_lottery(cfg)
    resume = tmp_path / 'round_0' / paths.RESUME
    (tmp_path / 'round_0/iter_3.pth').replace(resume)
    with pytest.raises(UserError, match=r'inside an epoch \(iteration 3; 0 epochs of 4 .*anew'):
        run_lottery(cfg, resume=True)


def test_lotteries_of_one_out_dir_have_folders_of_their_own(tmp_path):
    cfg = lottery_config(tmp_path, default_hooks=dict(logger=dict(out_dir='s3://logs')),
                         custom_hooks=[dict(type='CheckpointHook', out_dir='kept/')])
    made = round_config(cfg, LotterySpec.of(cfg), tmp_path / 'run', 0, 3)
    assert made.default_hooks.logger.out_dir == 's3://logs/run'
    assert made.custom_hooks[0].out_dir == 'kept/run'


@pytest.mark.parametrize('checkpoint, by_epoch, warned', [
    (None, False, True), (dict(interval=-1), False, True), (dict(interval=5), False, False),
    (dict(interval=1, by_epoch=True), False, True), (dict(interval=2), True, False)])
def test_nothing_to_go_on_from_is_told(tmp_path, capsys, checkpoint, by_epoch, warned):
    cfg = config(tmp_path, {}, by_epoch=by_epoch)
    cfg.default_hooks.checkpoint = checkpoint and dict(cfg.default_hooks.checkpoint, **checkpoint)
    Killed.at = 1
    with pytest.raises(KeyboardInterrupt):
        run_lottery(cfg)
    assert ('No CheckpointHook saves anything' in capsys.readouterr().out) == warned
