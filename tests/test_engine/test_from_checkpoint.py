"""Tickets from checkpoints that are there already."""
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from toy import lottery_config

from mmlth.core import Ticket, early_bird, paths
from mmlth.core.errors import UserError
from mmlth.engine.from_checkpoint import draw_from_checkpoint


@pytest.fixture(scope='module')
def lottery(tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('lottery')
    cfg = lottery_config(work_dir, default_hooks=dict(
        early_bird=dict(type='mmlth.EarlyBirdHook', interval=6)))
    RUNNERS.build(cfg).train()
    return cfg, work_dir


@pytest.mark.parametrize('checkpoint', [paths.FINAL, 'iter_12.pth'])
def test_as_the_prune_hook_drew_it(lottery, checkpoint):
    cfg, work_dir = lottery
    ticket = draw_from_checkpoint(cfg, work_dir / 'round_0' / checkpoint,
                                  rewind=work_dir / 'round_0' / paths.REWIND)
    drawn = Ticket.load(work_dir / 'round_1' / paths.TICKET)
    assert set(ticket.mask) == set(drawn.mask) and set(ticket.state) == set(drawn.state)
    assert all(torch.equal(ticket.mask[n], drawn.mask[n]) for n in drawn.mask)
    assert all(torch.equal(ticket.state[n], drawn.state[n]) for n in drawn.state)


def test_without_rewinding_and_with_other_prefixes(lottery, tmp_path):
    cfg, work_dir = lottery
    trained = torch.load(work_dir / 'round_0' / paths.FINAL, weights_only=True)['state_dict']
    torch.save({f'module.{n}': t for n, t in trained.items()}, tmp_path / 'ddp.pth')
    ticket = draw_from_checkpoint(cfg, tmp_path / 'ddp.pth', sparsity=0.5)
    assert sum(int((~m).sum()) for m in ticket.mask.values()) == round(0.5 * 424)
    keep = ticket.mask['head.weight']
    assert torch.equal(ticket.state['head.weight'], trained['head.weight'] * keep)


def test_an_early_bird_candidate(lottery):
    cfg, work_dir = lottery
    path = early_bird.candidate_path(work_dir / 'round_0' / paths.EARLY_BIRD, 6)
    ticket = draw_from_checkpoint(cfg, work_dir / 'round_0' / paths.FINAL, candidate=path)
    assert all(torch.equal(ticket.mask[n], m) for n, m in Ticket.load(path).mask.items())


def test_other_allocations(lottery):
    """The transposed convolution is known as such."""
    cfg, work_dir = lottery
    cfg = Config(cfg.to_dict())
    cfg.default_hooks.prune.allocation = '2:4'
    ticket = draw_from_checkpoint(cfg, work_dir / 'round_0' / paths.FINAL, sparsity=0.5)
    assert (ticket.mask['backbone.3.weight'].unflatten(0, (2, 4)).sum(1) == 2).all()
    cfg.default_hooks.prune.update(allocation='global', score='snip')
    with pytest.raises(UserError, match='only be drawn inside a training'):
        draw_from_checkpoint(cfg, work_dir / 'round_0' / paths.FINAL, sparsity=0.5)


def test_mistakes(lottery, tmp_path):
    cfg, work_dir = lottery
    with pytest.raises(UserError, match='there is no checkpoint'):
        draw_from_checkpoint(cfg, tmp_path / 'none.pth')
    wide = cfg.copy()
    wide.model = dict(type='ToyModel', width=16)
    with pytest.raises(UserError, match='of another shape'):
        draw_from_checkpoint(wide, work_dir / 'round_0' / paths.FINAL)
    with pytest.raises(UserError, match=r'in \[0, 1\)'):
        draw_from_checkpoint(cfg, work_dir / 'round_0' / paths.FINAL, sparsity=1.5)


@pytest.mark.parametrize('changed, message', [
    (dict(control='random_mask'), "is the control 'random_mask', .* with control=None"),
    (dict(update='gradual'), 'begins with all weights, .* no mask to draw')])
def test_what_a_lottery_would_not_train_is_not_drawn(lottery, changed, message):
    cfg, work_dir = lottery
    cfg = Config(cfg.to_dict())
    cfg.default_hooks.prune.update(changed)
    with pytest.raises(UserError, match=message):
        draw_from_checkpoint(cfg, work_dir / 'round_0' / paths.FINAL)
