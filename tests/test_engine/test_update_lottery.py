"""Lotteries whose tickets change their masks while they train."""
import json

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from test_mask_updates import Follow, changes, train
from toy import lottery_config, run_lottery, toy_config

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.engine.checkpoints import masks_of
from mmlth.engine.verify import verify

WEIGHTS, PRUNED = 424, 339
RIGL = dict(score='random', allocation='erk',
            update=dict(type='rigl', interval=2, end='10it', fraction=0.6))
GRADUAL = dict(update=dict(type='gradual', interval=2, end='10it'))
METHODS = dict(rigl=RIGL, set=dict(RIGL, update=dict(RIGL['update'], type='set')),
               gradual=GRADUAL, layerwise=dict(GRADUAL, allocation='layerwise'))


def config(folder, prune, to='0it', **kwargs):
    cfg = lottery_config(folder, to=to, latency=False, **kwargs)
    if 'transfer' in prune:
        del cfg.default_hooks.prune['sparsity']
    for key, value in prune.items():
        cfg.default_hooks.prune[key] = value
    return cfg


@pytest.mark.parametrize('method', METHODS)
def test_a_lottery_whose_masks_move(tmp_path, method):
    run_lottery(config(tmp_path, METHODS[method]))
    entry = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds'][1]
    ticket = Ticket.load(tmp_path / 'round_1' / paths.TICKET)
    moved = Ticket.load(tmp_path / 'round_1' / paths.FINAL_MASK)
    final = checkpoint_file.load(tmp_path / 'round_1' / paths.FINAL)
    dense = METHODS[method]['update']['type'] == 'gradual'
    assert masks.pruned(ticket.mask) == (0 if dense else PRUNED)
    assert masks.digest(masks_of(final['mmlth'])) == masks.digest(moved.mask)
    assert masks.digest(moved.mask) != masks.digest(ticket.mask)
    if method != 'layerwise':
        assert entry['scope_sparsity'] == PRUNED / WEIGHTS
    assert entry['scope_sparsity'] == masks.pruned(moved.mask) / WEIGHTS
    for name, keep in moved.mask.items():
        assert not final['state_dict'][name][~keep].any()
    assert any('final.pth' in line for line in verify(tmp_path))
    assert 'The mask changes within the training' in (tmp_path / 'report.md').read_text()


def test_the_dense_model_can_be_left_out(tmp_path):
    run_lottery(config(tmp_path, dict(RIGL, dense=False)))
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert [entry['iterations'] for entry in rounds] == [0, 12]
    assert verify(tmp_path)


@pytest.mark.parametrize('method, schedule', [('rigl', 'restart'), ('gradual', 'resume')])
def test_killed_in_round_1_and_resumed_is_as_uninterrupted(tmp_path, method, schedule):
    options = dict(to='4it', schedule=schedule)
    run_lottery(config(tmp_path / 'whole', METHODS[method], **options))
    run_lottery(config(tmp_path / 'cut', METHODS[method], **options,
                       default_hooks=dict(checkpoint=dict(interval=3))))
    # The state after a kill in iteration 7 of round 1: only what was there by then.
    folder = tmp_path / 'cut'
    state = json.loads((folder / paths.LOTTERY).read_text())
    state['rounds'][1].update(status='running', checkpoint=None, metrics={})
    (folder / paths.LOTTERY).write_text(json.dumps(state))
    (folder / 'round_1' / paths.FINAL).unlink()
    (folder / 'round_1/iter_6.pth').rename(folder / 'round_1' / paths.RESUME)
    run_lottery(config(folder, METHODS[method], **options), resume=True)
    one, other = (checkpoint_file.load(tmp_path / name / 'round_1' / paths.FINAL)
                  for name in ('whole', 'cut'))
    assert one['mmlth']['digest'] == other['mmlth']['digest']
    assert all(torch.equal(one['state_dict'][n], other['state_dict'][n])
               for n in one['state_dict'])


@pytest.mark.parametrize('prune, words, more', [
    (dict(RIGL, rounds=2, at='end'), 'which is round 1; got 2 rounds: set rounds=1', {}),
    (dict(RIGL, control='random_mask'), 'control would not be what is trained', {}),
    (dict(GRADUAL, control='dense'), 'control would not be what is trained', {}),
    (dict(update=RIGL['update'], transfer=dict(source='x.pth')), 'transfer would not be', {}),
    (dict(RIGL, allocation='2:4', sparsity=0.5), 'breaks the pattern 2:4', {}),
    (dict(GRADUAL, score='snip'), "gradual pruning draws at every update of the weights", {}),
    (dict(GRADUAL, allocation='compute'), "allocation='compute' does not", {}),
    (dict(update=dict(type='gradual', sparsity=0.5)), "PruneHook: update has sparsity", {}),
    (dict(update=dict(type='rigl', interval=0)), 'interval must be a number of iterations', {}),
    (dict(update=dict(type='rigle')), "unknown mask update 'rigle'", {}),
    (dict(update=dict(type='rigl', interval=1)), 'set interval to 2 or more', {}),
    (RIGL, 'a step every 2 iteration.s. none would be left',
     dict(optim_wrapper=dict(accumulative_counts=2))),
    (dict(update=dict(type='rigl', end='13it')), 'the training ends after 12', {}),
    (dict(update=dict(type='rigl', end='4ep')), 'the training ends after', dict(by_epoch=True)),
    (dict(update=dict(type='set', begin='80%')), 'let them end later', {}),
    (RIGL, 'Rprop keeps a step size', dict(optimizer=dict(type='Rprop', lr=0.01))),
    (RIGL, 'EarlyBirdHook watches', dict(default_hooks=dict(
        early_bird=dict(type='mmlth.EarlyBirdHook', interval=2)))),
], ids=str)
def test_what_cannot_be_right_is_refused_before_anything_is_trained(tmp_path, prune, words, more):
    with pytest.raises(UserError, match=words):
        run_lottery(config(tmp_path, prune, **more))
    assert not (tmp_path / 'round_0').exists()


@pytest.mark.parametrize('method', ['rigl', 'gradual'])
def test_one_training_without_a_tickets_file(tmp_path, method):
    """Drawn at the start; a resumed one takes its checkpoint's masks."""
    def build(folder, iters=12, **kwargs):
        cfg = toy_config(folder, val=False, iters=iters, **kwargs)
        cfg.optim_wrapper.type = 'mmlth.MaskedOptimWrapper'
        own = {key: value for key, value in METHODS[method].items() if key != 'update'}
        cfg.default_hooks.ticket = dict(
            type='mmlth.TicketHook', draw=dict(sparsity=0.8, **own),
            update=METHODS[method]['update'])
        cfg.default_hooks.random_state = dict(type='mmlth.RandomStateHook')
        cfg.custom_hooks = [dict(type='WatchZeros'), dict(type='Follow')]
        return cfg

    follow = next(h for h in train(build(tmp_path / 'whole')).hooks if isinstance(h, Follow))
    final = checkpoint_file.load(tmp_path / 'whole/iter_12.pth')
    assert masks.pruned(follow.masks[-1]) == PRUNED
    assert masks.pruned(follow.masks[0]) == (PRUNED if method == 'rigl' else 0)
    assert len(changes(follow, follow.masks[0])) >= 3
    assert verify(tmp_path / 'whole')
    cfg = build(tmp_path / 'cut')
    cfg.default_hooks.checkpoint.interval = 7
    cfg.custom_hooks[1].kill = 8
    with pytest.raises(KeyboardInterrupt):
        Runner.from_cfg(cfg).train()
    train(build(tmp_path / 'cut', resume=True))
    again = checkpoint_file.load(tmp_path / 'cut/iter_12.pth')
    assert final['mmlth']['digest'] == again['mmlth']['digest']
    assert final['mmlth']['update'] == again['mmlth']['update']
    assert all(torch.equal(final['state_dict'][n], again['state_dict'][n])
               for n in final['state_dict'])


@HOOKS.register_module(force=True)
class SaveFirst(Hook):
    """Saves a checkpoint before anything else is done at the start of a training."""
    priority = 'VERY_HIGH'

    def before_train(self, runner):
        runner.save_checkpoint(runner.work_dir, 'first.pth')


def test_a_checkpoint_from_before_a_ticket_is_drawn_has_none(tmp_path):
    cfg = toy_config(tmp_path, val=False, iters=2)
    cfg.optim_wrapper.type = 'mmlth.MaskedOptimWrapper'
    cfg.default_hooks.ticket = dict(type='mmlth.TicketHook', draw=dict(sparsity=0.8))
    cfg.custom_hooks = [dict(type='SaveFirst')]
    Runner.from_cfg(cfg).train()
    assert 'masks' not in checkpoint_file.load(tmp_path / 'first.pth').get('mmlth', {})
    assert 'masks' in checkpoint_file.load(tmp_path / 'iter_2.pth')['mmlth']


def test_a_ticket_is_read_or_drawn(tmp_path):
    for arguments in (dict(), dict(ticket='x', draw=dict(sparsity=0.8))):
        cfg = toy_config(tmp_path)
        cfg.default_hooks.ticket = dict(type='mmlth.TicketHook', **arguments)
        with pytest.raises(UserError, match='TicketHook: give it the file of a ticket, or draw'):
            Runner.from_cfg(cfg)
