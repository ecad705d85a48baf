"""What is compared is what it is called: floors, dense trainings, iterations."""
import json

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, RUNNERS
from toy import lottery_config

from mmlth.core.errors import UserError
from mmlth.engine.chain.lengths import Length, lengths
from mmlth.engine.chain.lottery_spec import settings_of

STOPPING = dict(type='EarlyStoppingHook', monitor='toy/AP', rule='greater', min_delta=100.,
                patience=1)


@HOOKS.register_module(force=True)
class StopAt(Hook):
    """Ends an iteration-based training there, as anybody's hook may."""

    def __init__(self, at):
        self.at = at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        runner.train_loop.stop_training |= runner.iter + 1 == self.at


def test_a_floor_without_room_is_refused_before_the_training(tmp_path):
    cfg = lottery_config(tmp_path, sparsity=0.95, model=dict(width=1))
    cfg.default_hooks.prune.floor = 0.05
    with pytest.raises(UserError, match='keeps 3 weights of 3 layers, but only 1 may survive'):
        RUNNERS.build(cfg).train()
    assert not list(tmp_path.glob('round_0/*.pth'))


def test_layerwise_with_a_floor_trains_a_layer_of_few_weights(tmp_path):
    cfg = lottery_config(tmp_path, sparsity=0.9, model=dict(width=1), iters=4, to='0it')
    cfg.default_hooks.prune.update(floor=0.1, allocation='layerwise')
    RUNNERS.build(cfg).train()


def train(cfg, work_dir):
    """The lottery's file and its report."""
    RUNNERS.build(cfg).train()
    return json.loads((work_dir / 'lottery.json').read_text()), (work_dir / 'report.md').read_text()


@pytest.mark.parametrize('by_epoch, hook, done', [
    (True, STOPPING, 8), (False, dict(type='StopAt', at=7), 7)])
def test_a_dense_training_that_a_hook_has_ended_is_not_called_dense(tmp_path, by_epoch, hook, done):
    lottery, report = train(lottery_config(
        tmp_path, by_epoch=by_epoch, iters=40, to='4it', custom_hooks=[hook]), tmp_path)
    first = lottery['rounds'][0]
    assert (first['iterations'], first['ended_by']) == (done, hook['type'])
    rows = [[cell.strip() for cell in line.split('|')] for line in report.splitlines()
            if line.startswith('| ')]
    heading, dense, ticket = rows[0], *(r for r in rows if r[1][:1] in ('0', '1'))
    assert dense[1] == '0 (dense, ended early)' and ticket[1] == '1 (ended early)'
    assert ticket[heading.index('change')] == r'\-'
    assert f'Round 0 was ended by {hook["type"]} after {done} of 40 iterations. It is not' in report
    assert 'early-bird' not in report


@HOOKS.register_module(force=True)
class KilledAtTheEnd(Hook):
    """A kill between the end of round 0 and its final.pth."""
    kill = False

    def after_train(self, runner):
        if self.kill:
            raise KeyboardInterrupt


def test_a_training_that_was_ended_stays_ended_when_resumed(tmp_path, monkeypatch):
    """EarlyStoppingHook itself has forgotten its count by then."""
    final = {}
    for killed in (False, True):
        cfg = lottery_config(tmp_path / str(killed), by_epoch=True, iters=40, to='4it',
                             custom_hooks=[STOPPING, dict(type='KilledAtTheEnd')])
        if killed:
            monkeypatch.setattr(KilledAtTheEnd, 'kill', True)
            with pytest.raises(KeyboardInterrupt):
                RUNNERS.build(cfg).train()
            monkeypatch.setattr(KilledAtTheEnd, 'kill', False)
            cfg.resume = True
        lottery, _ = train(cfg, tmp_path / str(killed))
        assert [(r['iterations'], r['ended_by']) for r in lottery['rounds']] == [
            (8, 'EarlyStoppingHook')] * 2
        final[killed] = [torch.load(tmp_path / str(killed) / f'round_{k}' / 'final.pth',
                                    weights_only=True)['state_dict'] for k in range(2)]
    for whole, resumed in zip(final[False], final[True]):
        assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_rewind_point_that_an_ended_training_missed_is_named(tmp_path):
    with pytest.raises(UserError, match="EarlyStoppingHook ended the training after 8 iterations, "
                                        "before the rewind point '5ep'"):
        RUNNERS.build(lottery_config(
            tmp_path, by_epoch=True, iters=40, to='5ep', custom_hooks=[STOPPING])).train()


@pytest.mark.parametrize('rewind, prune, expected', [
    (dict(), dict(), [(12, 12, 12), (12, 16, 24), (12, 16, 36)]),
    (dict(schedule='resume'), dict(), [(12, 12, 12), (8, 12, 20), (8, 12, 28)]),
    (dict(mode='lr', schedule='resume'), dict(), [(12, 12, 12), (8, 20, 20), (8, 28, 28)]),
    (dict(mode='finetune', length='3it'), dict(), [(12, 12, 12), (3, 15, 15), (3, 18, 18)]),
    (dict(schedule='resume'), dict(control='fresh_weights'),
     [(12, 12, 12), (8, 12, 20), (12, 12, 32)]),
    (dict(), dict(control='dense'), [(12, 12, 12), (12, 24, 24), (12, 36, 36)])])
def test_iterations_are_counted_from_the_start_and_over_the_chain(tmp_path, rewind, prune,
                                                                  expected):
    cfg = lottery_config(tmp_path, rounds=2)
    cfg.default_hooks.rewind.update(rewind)
    cfg.default_hooks.prune.update(prune)
    lottery, report = train(cfg, tmp_path)
    assert lengths(lottery['rounds'], settings_of(lottery), cfg) == [
        Length(*numbers) for numbers in expected]
    row = next(line for line in report.splitlines() if line.startswith('| 2 '))
    assert [cell.strip() for cell in row.split('|')][-5:-2] == list(map(str, expected[2]))
    longer = expected[2][1] / 12
    assert (f'round 2 {longer:.2f} times as long' in report) == (longer > 1)
    for entry in lottery['rounds']:     # as older versions wrote it
        entry.pop('rewind_iteration')
    assert lengths(lottery['rounds'], settings_of(lottery), cfg) == [
        Length(*numbers) for numbers in expected]
