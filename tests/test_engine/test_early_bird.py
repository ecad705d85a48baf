"""Candidate masks while training, on real Runners."""
import csv
import json

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, RUNNERS
from mmengine.runner import Runner
from toy import lottery_config, toy_config

from mmlth.core import Ticket, early_bird, paths
from mmlth.core.errors import UserError
from mmlth.core.similarity import iou


def config(tmp_path, stop=None, interval=3, **kwargs):
    return lottery_config(tmp_path, default_hooks=dict(
        early_bird=dict(type='mmlth.EarlyBirdHook', interval=interval, stop=stop)), **kwargs)


def read_curve(tmp_path):
    with open(tmp_path / 'round_0' / paths.EARLY_BIRD / paths.EARLY_BIRD_CSV) as file:
        return list(csv.DictReader(file))


def test_candidates_are_what_the_final_pruning_would_draw(tmp_path):
    RUNNERS.build(config(tmp_path)).train()
    found = early_bird.candidates(tmp_path / 'round_0' / paths.EARLY_BIRD)
    assert list(found) == [3, 6, 9, 12]
    final = Ticket.load(tmp_path / 'round_1' / paths.TICKET).mask
    last = Ticket.load(found[12])
    assert not last.state and iou(last.mask, final) == 1.0
    rows = read_curve(tmp_path)
    assert [int(row['iteration']) for row in rows] == [3, 6, 9, 12]
    for row in rows:
        mask = Ticket.load(found[int(row['iteration'])]).mask
        assert float(row['iou_final']) == pytest.approx(iou(mask, final))
        density = 1 - 339 / 424
        assert float(row['chance']) == pytest.approx(density / (2 - density))
        assert float(row['iou_final_pruned']) == pytest.approx(iou(mask, final, 'pruned'))
        assert float(row['chance_pruned']) == pytest.approx((1 - density) / (1 + density))
        assert {'iou_final/backbone', 'iou_final_pruned/head'} <= set(row)
    assert (tmp_path / 'round_0/early_bird/curve.png').read_bytes().startswith(b'\x89PNG')
    assert not (tmp_path / 'round_1' / paths.EARLY_BIRD).exists()
    assert (tmp_path / 'figures/early_bird.png').read_bytes().startswith(b'\x89PNG')
    assert 'with the final mask' in (tmp_path / paths.REPORT).read_text()


@pytest.mark.parametrize('by_epoch', [False, True])
def test_early_stop_hands_its_mask_on(tmp_path, by_epoch):
    RUNNERS.build(config(tmp_path, stop=dict(iou=0.01, patience=1), interval=2,
                         by_epoch=by_epoch)).train()
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert (rounds[0]['iterations'], rounds[0]['planned_iterations']) == (4, 12)
    assert (rounds[1]['iterations'], rounds[1]['planned_iterations']) == (12, 12)
    candidate = early_bird.candidate_path(tmp_path / 'round_0' / paths.EARLY_BIRD, 4)
    mask, final = Ticket.load(candidate).mask, Ticket.load(
        tmp_path / 'round_1' / paths.TICKET).mask
    assert all(torch.equal(mask[name], final[name]) for name in mask)
    assert '8 saved (67% of round 0)' in (tmp_path / paths.REPORT).read_text()


@pytest.mark.parametrize('by_epoch, to, ends', [(False, '7it', 8), (True, '2ep', 8)])
def test_it_ends_at_the_rewind_point_at_the_earliest(tmp_path, by_epoch, to, ends):
    """Masks have agreed from iteration 4 on."""
    RUNNERS.build(config(tmp_path, stop=dict(iou=0.01, patience=1), interval=2, to=to,
                         by_epoch=by_epoch, val=False, latency=False)).train()
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert rounds[0]['iterations'] == ends and rounds[1]['iterations'] == 12
    found = early_bird.candidates(tmp_path / 'round_0' / paths.EARLY_BIRD)
    mask = Ticket.load(tmp_path / 'round_1' / paths.TICKET).mask
    assert list(found) == [2, 4, 6, 8] and iou(Ticket.load(found[8]).mask, mask) == 1.0


@HOOKS.register_module(force=True)
class Unfreeze(Hook):
    """Trains a layer from an iteration on alone."""

    def before_train(self, runner):
        runner.model.backbone[0].weight.requires_grad_(False)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 5:
            runner.model.backbone[0].weight.requires_grad_(True)


def test_masks_of_what_is_frozen_at_first(tmp_path):
    """The scope grows on the way: a mask that lacks a weight prunes none of it."""
    cfg = config(tmp_path, stop=dict(iou=1.0, patience=9), val=False, latency=False,
                 custom_hooks=[dict(type='Unfreeze')])
    cfg.default_hooks.prune.frozen = False
    RUNNERS.build(cfg).train()
    found = early_bird.candidates(tmp_path / 'round_0' / paths.EARLY_BIRD)
    first, second, third, last = (Ticket.load(path).mask for path in found.values())
    assert len(first) == 2 and len(third) == 3
    full = {**first, 'backbone.0.weight': torch.ones_like(third['backbone.0.weight'])}
    rows = read_curve(tmp_path)
    assert float(rows[0]['iou_final']) == pytest.approx(iou(full, last))
    assert iou(second, third) < 1
    assert float(rows[2]['iou_previous']) == pytest.approx(iou(second, third))


@pytest.mark.parametrize('by_epoch, at, mask_of, ends', [
    (False, '50%', 6, 6), (False, 7, 7, 7), (True, '5it', 5, 8)])
def test_stops_where_it_is_told(tmp_path, by_epoch, at, mask_of, ends):
    """The mask of that moment, which is no multiple of the interval."""
    RUNNERS.build(config(tmp_path, stop=dict(at=at), interval=4, by_epoch=by_epoch)).train()
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert (rounds[0]['iterations'], rounds[0]['planned_iterations']) == (ends, 12)
    assert rounds[1]['iterations'] == 12
    folder = tmp_path / 'round_0' / paths.EARLY_BIRD
    assert list(early_bird.candidates(folder)) == [4, mask_of]
    mask = Ticket.load(early_bird.candidate_path(folder, mask_of)).mask
    final = Ticket.load(tmp_path / 'round_1' / paths.TICKET).mask
    assert all(torch.equal(mask[name], final[name]) for name in mask)


def test_the_mask_at_the_end_is_the_final_one(tmp_path):
    """Stopping at 100 % is not stopping."""
    RUNNERS.build(config(tmp_path / 'a', stop=dict(at='100%'), interval=6)).train()
    RUNNERS.build(config(tmp_path / 'b', interval=6)).train()
    one, other = (torch.load(tmp_path / name / 'round_1' / paths.FINAL, weights_only=True)
                  for name in 'ab')
    assert all(torch.equal(one['state_dict'][n], other['state_dict'][n])
               for n in one['state_dict'])


@pytest.mark.parametrize('at, message', [
    ('0it', 'before it begins'), ('2it', "rewind point, '4it'"), ('200%', 'stop at: .200%'),
    ('soon', "stop at: expected '600it'")])
def test_places_where_it_cannot_stop(tmp_path, at, message):
    with pytest.raises(UserError, match=f'EarlyBirdHook: .*{message}'):
        RUNNERS.build(config(tmp_path, stop=dict(at=at))).train()
    assert not (tmp_path / 'round_0' / paths.FINAL).exists()


def test_a_resumed_early_end_stays_ended(tmp_path):
    """Killed after the early end: the resumed round trains no further."""
    stop = dict(iou=0.01, patience=1)
    RUNNERS.build(config(tmp_path, stop=stop, interval=2)).train()
    state = json.loads((tmp_path / paths.LOTTERY).read_text())
    first = torch.load(tmp_path / 'round_0' / paths.FINAL, weights_only=True)
    for entry in state['rounds']:
        entry['status'] = 'running' if entry['round'] == 0 else 'waiting'
    (tmp_path / paths.LOTTERY).write_text(json.dumps(state))
    (tmp_path / 'round_0' / paths.FINAL).unlink()
    (tmp_path / 'round_1' / paths.TICKET).unlink()
    cfg = config(tmp_path, stop=stop, interval=2)
    cfg.resume = True
    RUNNERS.build(cfg).train()
    again = torch.load(tmp_path / 'round_0' / paths.FINAL, weights_only=True)
    assert again['meta']['iter'] == first['meta']['iter'] == 4
    assert all(torch.equal(first['state_dict'][n], again['state_dict'][n])
               for n in first['state_dict'])
    assert (tmp_path / 'round_1' / paths.TICKET).exists()


def test_patience_counts_in_a_row(tmp_path):
    """IoU of 1 is never reached thrice while weights move: trained to the end."""
    RUNNERS.build(config(tmp_path, stop=dict(iou=1.0, patience=3), interval=2)).train()
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert rounds[0]['iterations'] == 12


@pytest.mark.parametrize('args', [
    dict(interval=0), dict(stop=dict(iou=1.5, patience=1)), dict(stop=dict(iou=0.9)),
    dict(stop=dict(iou=0.9, patience=0)),
    dict(stop=dict(at='50%', iou=0.9)), dict(stop={})])
def test_mistakes(tmp_path, args):
    cfg = config(tmp_path)
    cfg.default_hooks.early_bird.update(args)
    with pytest.raises(UserError, match='EarlyBirdHook'):
        RUNNERS.build(cfg).train()


def test_needs_a_prune_hook(tmp_path):
    cfg = toy_config(tmp_path, val=False)
    cfg.default_hooks.early_bird = dict(type='mmlth.EarlyBirdHook', interval=3)
    with pytest.raises(UserError, match='PruneHook'):
        Runner.from_cfg(cfg).train()


def test_a_threshold_may_be_of_the_pruned(tmp_path):
    """The same masks agree to more of the pruned: the paper's measure stops where ours goes on."""
    fast = dict(type='SGD', lr=1.0)
    RUNNERS.build(config(tmp_path / 'look', interval=2, optimizer=fast)).train()
    found = list(early_bird.candidates(tmp_path / 'look/round_0' / paths.EARLY_BIRD).values())
    first, second = (Ticket.load(path).mask for path in found[:2])
    low, high = iou(first, second), iou(first, second, 'pruned')
    assert low < high
    for of, ends in (('survivors', False), ('pruned', True)):
        RUNNERS.build(config(tmp_path / of, interval=2, optimizer=fast, stop=dict(
            iou=(low + high) / 2, patience=1, of=of))).train()
        first = json.loads((tmp_path / of / paths.LOTTERY).read_text())['rounds'][0]
        assert (first['iterations'] == 4) == ends
    with pytest.raises(UserError, match="of='survivors' or of='pruned'"):
        RUNNERS.build(config(tmp_path / 'x', stop=dict(iou=.9, patience=1, of='both'))).train()
