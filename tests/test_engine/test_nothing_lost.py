"""Killed at any moment and resumed: the same as uninterrupted, bit for bit."""
import json
import os
import random
import resource
import signal
import sys
import time
import traceback

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, MODELS, RUNNERS
from mmengine.runner import Runner
from toy import ToyDataset, ToyModel, lottery_config, toy_config

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.engine.verify import verify


@DATASETS.register_module(force=True)
class NoisyDataset(ToyDataset):
    """Augments with all three generators, as transforms of different packages do."""

    def __getitem__(self, index):
        item = super().__getitem__(index)
        noise = np.random.randn() + random.gauss(0, 1) + torch.randn(())
        return dict(item, inputs=item['inputs'] + 0.1 * float(noise))


@MODELS.register_module(force=True)
class NoisyModel(ToyModel):
    """With dropout, which draws from torch's generator."""

    def forward(self, inputs, labels, mode='tensor'):
        if self.training:
            inputs = torch.nn.functional.dropout(inputs, 0.2)
        return super().forward(inputs, labels, mode)


def config(work_dir, by_epoch=False, **options):
    cfg = lottery_config(work_dir, rounds=3, iters=12, by_epoch=by_epoch, **options)
    cfg.model.type, cfg.train_dataloader.dataset.type = 'NoisyModel', 'NoisyDataset'
    cfg.val_dataloader.dataset.type = 'NoisyDataset'    # validation draws numbers too
    cfg.default_hooks.checkpoint.update(
        interval=1 if by_epoch else 4, max_keep_ckpts=1, save_best='toy/AP', rule='greater')
    cfg.default_hooks.early_bird = dict(type='mmlth.EarlyBirdHook', interval=3)
    cfg.train_cfg.val_interval = 1 if by_epoch else 6
    cfg.custom_hooks = [dict(type='EMAHook', momentum=0.3)]
    return cfg


def fork(work, kill_after=None) -> int:
    """Run ``work`` in a child, which has imported all already; return how it ended."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        deadline = time.time() + (kill_after or 1e9)
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
            if time.time() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.001)
    errors, status = os.dup(2), 1
    try:
        with open(os.devnull, 'w') as null:
            os.dup2(null.fileno(), 1)
            os.dup2(null.fileno(), 2)
        work()
        status = 0
    except UserError:
        status = 3
    except BaseException:
        os.write(errors, traceback.format_exc().encode())
    finally:
        os._exit(status)


def chain(work_dir, by_epoch=False, kill_at=None, **options):
    """Run the lottery; die at the kill_at-th file it touches."""
    count = 0

    def watch(event, args):
        nonlocal count
        if event in ('open', 'os.rename', 'os.remove', 'os.link', 'os.mkdir') and args and (
                str(work_dir) in str(args[0])):
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    if kill_at:
        sys.addaudithook(watch)
    cfg = config(work_dir, by_epoch, **options)
    cfg.resume = True
    RUNNERS.build(cfg).train()


def results(work_dir):
    """All that a finished lottery has to say, but for times."""
    found = {}
    for r in range(4):
        folder = work_dir / f'round_{r}'
        final = checkpoint_file.load(folder / paths.FINAL)
        found[r] = {**final['state_dict'], 'digest': final['mmlth']['digest']}
        if r:
            ticket = Ticket.load(folder / paths.TICKET)
            found[r].update({f'start {n}': t for n, t in ticket.state.items()})
    lottery = json.loads((work_dir / paths.LOTTERY).read_text())
    found['metrics'] = {str(r): e['metrics'] for r, e in enumerate(lottery['rounds'])}
    found['curve'] = {'csv': (work_dir / 'round_0/early_bird/curve.csv').read_text()}
    return found


def assert_same(first, second):
    for part, values in first.items():
        assert set(values) == set(second[part])
        for name, value in values.items():
            other = second[part][name]
            same = torch.equal(value, other) if torch.is_tensor(value) else value == other
            assert same, (part, name)


def assert_whole_files(work_dir):
    """What bears a final name can be read."""
    for path in work_dir.rglob('*'):
        if path.name.endswith('.part'):
            continue
        if path.suffix == '.pth':
            checkpoint_file.load(path)
        elif path.suffix == '.safetensors':
            Ticket.load(path)
        elif path.name in (paths.LOTTERY, paths.SPARSITY, paths.REPORT_JSON):
            json.loads(path.read_text())


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """An uninterrupted chain and how long it took."""
    folder, began = tmp_path_factory.mktemp('whole'), time.time()
    assert fork(lambda: chain(folder)) == 0
    return folder, time.time() - began


def test_killed_at_20_random_moments(tmp_path, whole):
    kill_and_resume(tmp_path, *whole, kills=20)


def test_killed_in_an_epoch_based_chain(tmp_path):
    options, began = dict(by_epoch=True, schedule='resume', to='1ep'), time.time()
    assert fork(lambda: chain(tmp_path / 'whole', **options)) == 0
    kill_and_resume(tmp_path, tmp_path / 'whole', time.time() - began, kills=5, **options)


def kill_and_resume(tmp_path, whole, duration, kills, by_epoch=False, **options):
    options['by_epoch'] = by_epoch
    generator = random.Random(2 + by_epoch)
    hits, places = 0, set()
    while hits < kills:
        # By the clock, and at files, to hit writing too; first early in the first round, for on
        # some machines the others may all come later.
        moments = ((None, 9) if not hits else
                   (generator.uniform(0.05, duration / 2), None) if generator.random() < 0.4
                   else (None, generator.randint(1, 90)))
        status = fork(lambda: chain(tmp_path / 'cut', kill_at=moments[1], **options), moments[0])
        if status == 0:     # it was finished first: the next kills need work to do
            assert hits, 'nothing was killed'
            assert_same(results(whole), results(tmp_path / 'cut'))
            (tmp_path / 'cut').rename(tmp_path / f'cut_{hits}')
            continue
        assert os.WIFSIGNALED(status), f'the chain failed by itself after {hits} kills'
        hits += 1
        assert_whole_files(tmp_path / 'cut')
        places.add(len(list((tmp_path / 'cut').glob('round_*'))))
    assert fork(lambda: chain(tmp_path / 'cut', **options)) == 0
    assert_same(results(whole), results(tmp_path / 'cut'))
    assert len(places) > 1, 'all kills hit one round'
    assert not list((tmp_path / 'cut').rglob('*.part'))
    verify(tmp_path / 'cut')


def test_stock_runner_resumes_bit_for_bit(tmp_path):
    """The hook alone, with worker processes; without it the noise differs."""
    def train(work_dir, iters, resume, hook=True):
        cfg = toy_config(work_dir, iters=iters, val=False)
        cfg.model.type, cfg.train_dataloader.dataset.type = 'NoisyModel', 'NoisyDataset'
        cfg.train_dataloader.num_workers = 1
        cfg.param_scheduler = []
        cfg.default_hooks.checkpoint.interval = 5
        if hook:
            cfg.default_hooks.random_state = dict(type='mmlth.RandomStateHook')
        cfg.resume = resume
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner.model.state_dict()

    whole = train(tmp_path / 'whole', 10, False)
    for hook in (True, False):
        train(tmp_path / f'cut_{hook}', 5, False, hook)
        again = train(tmp_path / f'cut_{hook}', 10, True, hook)
        assert all(torch.equal(whole[n], again[n]) for n in whole) == hook


@pytest.mark.parametrize('size', [3_000, 12_000])
def test_disk_full(tmp_path, size, whole):
    """A limit on file sizes stands in for the disk: round 0 cannot write one of its files."""
    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        try:
            chain(tmp_path / 'full')
        except UserError as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            (tmp_path / 'message').write_text(str(error))
            raise

    assert os.waitstatus_to_exitcode(fork(limited)) == 3
    message = (tmp_path / 'message').read_text()
    assert 'could not be written' in message and 'MB are free' in message
    assert_whole_files(tmp_path / 'full')
    assert fork(lambda: chain(tmp_path / 'full')) == 0      # with room again
    assert_same(results(whole[0]), results(tmp_path / 'full'))


def test_unwritable_work_dir(tmp_path):
    (tmp_path / 'file').write_text('mine')
    with pytest.raises(UserError, match='could not be written'):
        RUNNERS.build(lottery_config(tmp_path / 'file/run')).train()
    assert (tmp_path / 'file').read_text() == 'mine'


@pytest.mark.parametrize('gone, message', [
    ('round_0/rewind.pth', 'rewind.pth is gone'),
    ('round_1/ticket.safetensors', 'ticket.safetensors is gone'),
])
def test_a_missing_file_is_named(tmp_path, gone, message):
    cfg = lottery_config(tmp_path, schedule='resume')
    RUNNERS.build(cfg).train()
    for name in (gone, 'round_1/final.pth'):
        (tmp_path / name).unlink()
    cfg.resume = True
    with pytest.raises(UserError, match=message):
        RUNNERS.build(cfg).train()


def test_a_seed_left_open_is_one_for_all_rounds(tmp_path):
    cfg = lottery_config(tmp_path, sparsity=0.0, to='0it')
    cfg.pop('randomness')
    RUNNERS.build(cfg).train()
    dense, ticket = (checkpoint_file.load(tmp_path / f'round_{r}/final.pth')
                     for r in (0, 1))
    assert dense['meta']['seed'] == ticket['meta']['seed'] is not None
    assert all(torch.equal(dense['state_dict'][n], ticket['state_dict'][n])
               for n in dense['state_dict'])
