"""Lotteries that prune multiply-adds, and the compute sparsity of any lottery."""
import json

import pytest
import torch
from mmengine.registry import MODELS, RUNNERS
from toy import ToyModel, lottery_config

from mmlth.core import Ticket, paths, select
from mmlth.core.drawing.compute import check_budget
from mmlth.core.errors import UserError
from mmlth.core.flops import compute_sparsity
from mmlth.engine.from_checkpoint import draw_from_checkpoint
from mmlth.engine.verify import verify


def run(cfg):
    return RUNNERS.build(cfg).train()


def compute_config(tmp_path, **kwargs):
    cfg = lottery_config(tmp_path, **kwargs)
    cfg.default_hooks.prune.allocation = 'compute'
    return cfg


# One 4x4 image: 16 positions, 16 inputs of the transposed layer, one vector; head and same_head
# are one layer.
COSTS = {'backbone.0.weight': 16, 'backbone.3.weight': 16, 'head.weight': 1}


@pytest.mark.parametrize('control', [None, 'random_mask'])
def test_two_rounds_prune_the_share_of_the_multiply_adds(tmp_path, control):
    cfg = compute_config(tmp_path, rounds=2)
    cfg.default_hooks.prune.update(control=control, floor=0.05)
    run(cfg)
    tickets = [Ticket.load(tmp_path / f'round_{r}' / paths.TICKET) for r in (1, 2)]
    for ticket, sparsity in zip(tickets, (1 - 0.2 ** 0.5, 0.8)):
        assert ticket.meta['costs'] == COSTS and ticket.meta['sparsity'] == sparsity
        check_budget(ticket.mask, sparsity, COSTS)
    assert any('of the multiply-adds says' in line for line in verify(tmp_path))
    ticket, rounds = tickets[1], json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert rounds[2]['compute_sparsity'] == compute_sparsity(ticket.mask, COSTS)
    assert rounds[2]['scope_sparsity'] != rounds[2]['compute_sparsity']
    assert rounds[0]['compute_sparsity'] == 0
    noted = json.loads((tmp_path / paths.LOTTERY).read_text())
    noted['rounds'][2]['compute_sparsity'] = 0.5
    (tmp_path / paths.LOTTERY).write_text(json.dumps(noted))
    with pytest.raises(UserError, match='compute_sparsity of round 2 is 0.5, by the ticket'):
        verify(tmp_path)
    # A weight of the mask more: verify tells.
    ticket.mask['backbone.3.weight'].view(-1)[
        ticket.mask['backbone.3.weight'].view(-1).nonzero()[:2]] = False
    changed = Ticket.draw(ticket.mask, ticket.state, ticket.meta, 'test')
    changed.save(tmp_path / 'changed.safetensors')
    with pytest.raises(UserError, match='multiply-adds is .* are pruned'):
        verify(tmp_path / 'changed.safetensors')
    del changed.meta['costs']
    changed.save(tmp_path / 'changed.safetensors')
    with pytest.raises(UserError, match='does not note them'):
        verify(tmp_path / 'changed.safetensors')


@pytest.mark.parametrize('early', [False, True])
def test_the_costs_follow_a_mask_that_was_drawn_before(tmp_path, early):
    cfg = compute_config(tmp_path)
    if early:
        cfg.default_hooks.early_bird = dict(type='mmlth.EarlyBirdHook', interval=4,
                                            stop=dict(at='50%'))
    else:
        cfg.default_hooks.prune.at = 'start'
    run(cfg)
    assert Ticket.load(tmp_path / 'round_1' / paths.TICKET).meta['costs'] == COSTS
    verify(tmp_path)


def test_from_a_checkpoint_as_from_the_training(tmp_path):
    cfg = compute_config(tmp_path)
    run(cfg)
    found = draw_from_checkpoint(cfg, str(tmp_path / 'round_0' / 'final.pth'))
    drawn = Ticket.load(tmp_path / 'round_1' / paths.TICKET)
    assert all(torch.equal(found.mask[n], keep) for n, keep in drawn.mask.items())
    assert found.meta['costs'] == COSTS
    found.save(tmp_path / 'by_hand.safetensors')
    verify(tmp_path / 'by_hand.safetensors')


@MODELS.register_module(force=True)
class NoPrediction(ToyModel):
    def forward(self, inputs, labels, mode='tensor'):
        if mode == 'predict' and len(inputs) == 1:
            raise RuntimeError('no image alone')
        return super().forward(inputs, labels, mode)


def test_a_model_that_does_not_run_is_refused_before_the_training(tmp_path):
    cfg = compute_config(tmp_path)
    cfg.model.type = 'NoPrediction'
    with pytest.raises(UserError, match='multiply-adds of NoPrediction cannot be counted.*'
                                        'no image alone'):
        run(cfg)
    assert not list(tmp_path.rglob('*.pth'))
    with pytest.raises(UserError, match="score='magnitude'"):
        run(lottery_config(tmp_path / 'other', **{'default_hooks.prune.score': 'random',
                                                  'default_hooks.prune.allocation': 'compute'}))


def test_where_it_cannot_be_counted_there_is_a_dash_and_one_reason(tmp_path):
    cfg = lottery_config(tmp_path)
    cfg.model.type = 'NoPrediction'
    run(cfg)
    rounds = json.loads((tmp_path / paths.LOTTERY).read_text())['rounds']
    assert rounds[1]['status'] == 'done' and rounds[1]['compute_sparsity'] is None
    verify(tmp_path)


def test_a_layer_that_is_not_reached_is_named(tmp_path):
    from mmlth.engine.costs import uncalled
    names = select(ToyModel())
    assert uncalled(COSTS, names) == []
    assert uncalled({**COSTS, 'head.weight': 0}, names) == ['head.weight']
