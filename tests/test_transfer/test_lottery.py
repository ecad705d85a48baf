"""Lotteries whose ticket comes from another model: what they train, and what is refused."""
import json
import shutil

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from toy import ToyModel, lottery_config, toy_config
from toy_ticket import make_ticket, ticket_config

from mmlth.core import Ticket, checkpoint_file, draw
from mmlth.core import mask as masks
from mmlth.core import paths, select
from mmlth.core.errors import UserError
from mmlth.engine import LotteryRunner
from mmlth.engine.preview import preview
from mmlth.engine.verify import Violation, verify

RULES = [(r'^backbone\.(.+)$', r'backbone.\1')]     # the head stays behind
HEAD = {'head.weight', 'head.bias'}


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A ticket of a toy model of its own."""
    path = tmp_path_factory.mktemp('source') / 'ticket.safetensors'
    make_ticket(path, sparsity=0.6)
    return path


def config(work_dir, source, rewind='0it', prune=None, **transfer):
    cfg = lottery_config(work_dir, to=rewind)
    cfg.default_hooks.prune = dict(
        type='mmlth.PruneHook', **(prune or {}),
        transfer=dict(source=str(source), **{'mapping': RULES, **transfer}))
    return cfg


def train(cfg):
    LotteryRunner.from_cfg(cfg).train()
    return json.loads((paths.round_dir(cfg.work_dir, 1).parent / paths.LOTTERY).read_text())


def rewind_weights(work_dir):
    return checkpoint_file.load(work_dir / 'round_0' / paths.REWIND)['state_dict']


@pytest.mark.parametrize('dense', [True, False])
@pytest.mark.parametrize('weights', [True, False])
def test_the_ticket_is_the_transferred_one(tmp_path, source, dense, weights):
    """Start weights: the rewind point, overwritten with the source's; the head is dense."""
    cfg = config(tmp_path / 'w', source, weights=weights, prune=dict(dense=dense))
    rounds = train(cfg)['rounds']
    given = Ticket.load(source)
    expected = {n: m for n, m in given.mask.items() if n not in HEAD}
    ticket = Ticket.load(tmp_path / 'w/round_1/ticket.safetensors')
    assert masks.digest(ticket.mask) == masks.digest(expected)
    start = rewind_weights(tmp_path / 'w')
    for name, tensor in ticket.state.items():
        theirs = weights and name not in HEAD
        wanted = (given.state if theirs else start)[name] * expected.get(name, torch.tensor(1))
        assert torch.equal(tensor, wanted), name
    assert rounds[1]['scope_sparsity'] == masks.pruned(expected) / masks.size(expected)
    assert (rounds[0]['iterations'] > 0) == dense and rounds[1]['iterations'] == 12
    final = checkpoint_file.load(tmp_path / 'w/round_1/final.pth')
    assert all(not final['state_dict'][n][~m].any() for n, m in expected.items())
    lines = verify(tmp_path / 'w')
    assert any('overwritten by' in line and str(source) in line for line in lines)
    report = (tmp_path / 'w/report.html').read_text()
    assert f'transferred{", where it has them," * weights} from {source}' in report
    assert 'Allocation' not in report


def test_late_resetting_holds_for_what_is_not_transferred(tmp_path, source):
    train(config(tmp_path / 'w', source, rewind='4it'))
    ticket = Ticket.load(tmp_path / 'w/round_1/ticket.safetensors')
    assert torch.equal(ticket.state['head.weight'], rewind_weights(tmp_path / 'w')['head.weight'])
    assert torch.equal(ticket.state['backbone.0.weight'],
                       Ticket.load(source).state['backbone.0.weight'])


def test_it_goes_on_without_the_source(tmp_path, source):
    """What a lottery needs of the source it has kept; what verify needs, it says."""
    own = shutil.copy(source, tmp_path / 'source.safetensors')
    cfg = config(tmp_path / 'w', own)
    train(cfg)
    final = checkpoint_file.load(tmp_path / 'w/round_1/final.pth')['state_dict']
    (tmp_path / 'source.safetensors').unlink()
    (tmp_path / 'w/round_1/final.pth').unlink()
    cfg.resume = True
    train(cfg)
    again = checkpoint_file.load(tmp_path / 'w/round_1/final.pth')['state_dict']
    assert all(torch.equal(final[n], again[n]) for n in final)
    assert any('not compared: it is gone' in line for line in verify(tmp_path / 'w'))


def test_a_training_is_resumed_without_the_source(tmp_path, source):
    own = shutil.copy(source, tmp_path / 'source.safetensors')
    for iters in (12, 14):
        cfg = toy_config(tmp_path / 'w', val=False, iters=iters, resume=iters > 12)
        cfg.default_hooks.prune = dict(
            type='mmlth.PruneHook', transfer=dict(source=str(own), mapping=RULES))
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert runner.iter == iters
        ticket = Ticket.load(tmp_path / 'w' / paths.NEXT_TICKET)
        (tmp_path / 'w' / paths.NEXT_TICKET).unlink()
        (tmp_path / 'source.safetensors').unlink(missing_ok=True)
    assert ticket.meta['iterations'] == 14 and len(ticket.mask) == 2
    assert torch.equal(ticket.state['backbone.0.weight'],
                       Ticket.load(source).state['backbone.0.weight'])


def test_a_dense_checkpoint_is_pruned_here(tmp_path):
    """Trained elsewhere, by a Runner without mmlth; PruneHook alone, under a stock Runner."""
    Runner.from_cfg(toy_config(tmp_path / 'dense', val=False)).train()
    checkpoint = tmp_path / 'dense/iter_12.pth'
    cfg = toy_config(tmp_path / 'w', val=False)
    cfg.default_hooks.prune = dict(type='mmlth.PruneHook', transfer=dict(
        source=str(checkpoint), mapping='same', sparsity=0.7))
    Runner.from_cfg(cfg).train()
    ticket = Ticket.load(tmp_path / 'w' / paths.NEXT_TICKET)
    weights = checkpoint_file.load(checkpoint)['state_dict']
    expected = draw({n: weights[n] for n in select(ToyModel())}, 0.7)
    assert masks.digest(ticket.mask) == masks.digest(expected)
    assert torch.equal(ticket.state['head.bias'], weights['head.bias'])
    assert any(str(checkpoint) in line for line in verify(tmp_path / 'w'))
    result = preview(cfg)
    assert result['scope_weights'] == masks.size(expected)
    assert result['scope_sparsity'] == masks.pruned(expected) / masks.size(expected)


@pytest.mark.parametrize('control', ['fresh_weights', 'random_mask', 'shuffled_mask'])
def test_controls_of_a_transferred_mask(tmp_path, source, control):
    train(config(tmp_path / 'w', source, prune=dict(control=control),
                 weights=control == 'fresh_weights'))
    ticket, given = (Ticket.load(p) for p in (tmp_path / 'w/round_1/ticket.safetensors', source))
    assert bool(ticket.state) == (control != 'fresh_weights')
    for name, keep in ticket.mask.items():
        assert keep.sum() == given.mask[name].sum()
        assert torch.equal(keep, given.mask[name]) == (control == 'fresh_weights')
    verify(tmp_path / 'w')


@pytest.mark.parametrize('prune, match', [
    (dict(score='random'), r"score='random' would be ignored"),
    (dict(allocation='layerwise', scope=['head']), r"allocation='layerwise', scope=\['head'\]"),
    (dict(sparsity=0.9), 'sparsity=0.9 would be ignored'),
    (dict(rounds=2), 'rounds=2 would be ignored'),
    (dict(at='end'), "at='end' would be ignored"),
    (dict(control='dense'), "control 'dense' cannot be had"),
    (dict(control='random_mask'), 'transfer.weights=False')])
def test_contradictions_are_told(tmp_path, source, prune, match):
    with pytest.raises(UserError, match=match):
        train(config(tmp_path / 'w', source, prune=prune))
    assert not (tmp_path / 'w').exists()


@pytest.mark.parametrize('transfer, match', [
    (dict(source='nowhere.pth'), 'there is no ticket or checkpoint nowhere.pth'),
    (dict(mapping='sideways'), 'there is no mapping'),
    (dict(mask_only=True), "transfer is a dict of source, mapping.*'mask_only'"),
    (dict(sparsity=0.5), 'is a ticket, which has masks already'),
    (dict(mapping=[(r'^features\.(.+)$', r'backbone.\1')]), 'finds a place.*PREFIX'),
    (dict(mapping=[(r'^backbone\.0\.(.+)$', r'backbone.0.\1')]), 'the source lacks 6 tensors')])
def test_bad_transfers_are_told_before_round_0(tmp_path, source, transfer, match):
    cfg = config(tmp_path / 'w', source)
    cfg.default_hooks.prune.transfer.update(transfer)
    with pytest.raises(UserError, match=match):
        train(cfg)
    assert not list(tmp_path.glob('w/round_0/iter_*.pth'))


def test_bad_sources_are_told_before_round_0(tmp_path):
    torch.save(ToyModel().state_dict(), tmp_path / 'dense.pth')
    wide = ToyModel(width=16)
    ticket = Ticket.draw(draw(select(wide), 0.5), {}, {}, '')
    ticket.save(tmp_path / 'wide.safetensors')
    make_ticket(tmp_path / 'whole.safetensors')
    Ticket(Ticket.load(tmp_path / 'whole.safetensors').mask).save(tmp_path / 'mask.safetensors')
    for name, match in (('dense.pth', 'neither masks nor zeros.*sparsity=0.8'),
                        ('mask.safetensors', 'is only a mask: set transfer.weights=False')):
        with pytest.raises(UserError, match=match):
            train(config(tmp_path / 'w', tmp_path / name))
    with pytest.raises(UserError, match=r'\(16, 2, 3, 3\) in the source, \(8, 2, 3, 3\)'):
        train(config(tmp_path / 'w', tmp_path / 'wide.safetensors', weights=False))
    assert not list(tmp_path.glob('w/round_0/iter_*.pth'))


def test_an_early_bird_has_nothing_to_watch(tmp_path, source):
    cfg = config(tmp_path / 'w', source)
    cfg.default_hooks.early_bird = dict(type='mmlth.EarlyBirdHook', interval=4)
    with pytest.raises(UserError, match='leave the hook out'):
        train(cfg)


def alter(path, name, mask=False):
    """Save a ticket anew with one entry of it changed."""
    ticket = Ticket.load(path)
    if mask:
        keep = ticket.mask[name].view(-1)
        keep[int(keep.nonzero()[0])] = False
        masks.apply(ticket.mask, ticket.state)
    else:
        ticket.state[name].view(-1)[int(ticket.state[name].view(-1).nonzero()[0])] += 1
    ticket.save(path)


@pytest.mark.parametrize('file, name, mask, match', [
    ('round_1/ticket', 'backbone.0.weight', False, 'start weights of backbone.0.weight are not'),
    ('round_1/ticket', 'head.weight', False, 'start weights of head.weight are not mask x'),
    ('round_1/ticket', 'backbone.0.weight', True, 'its mask is not that of'),
    ('round_0/start_mask', 'backbone.0.weight', False, 'backbone.0.weight is not the weight of'),
    ('round_0/start_mask', 'backbone.0.weight', True, 'its mask is not that of')])
def test_verify_sees_what_was_altered(tmp_path, trained, file, name, mask, match):
    shutil.copytree(trained, tmp_path / 'w')
    verify(tmp_path / 'w')
    alter(tmp_path / 'w' / f'{file}.safetensors', name, mask)
    lottery = json.loads((tmp_path / 'w/lottery.json').read_text())
    lottery['rounds'][1].pop('ticket_bytes')
    (tmp_path / 'w/lottery.json').write_text(json.dumps(lottery))
    with pytest.raises(Violation, match=match):
        verify(tmp_path / 'w')


@pytest.fixture(scope='module')
def trained(tmp_path_factory, source):
    work_dir = tmp_path_factory.mktemp('trained') / 'w'
    train(config(work_dir, source))
    return work_dir


def test_a_ticket_hook_takes_checkpoints_with_a_mapping(tmp_path):
    """A final.pth of a lottery brings its masks."""
    train(lottery_config(tmp_path / 'first'))
    final = tmp_path / 'first/round_1/final.pth'
    cfg = ticket_config(tmp_path / 'second', val=False, optimizer=dict(type='SGD', lr=0.0))
    cfg.default_hooks.ticket.update(ticket=str(final), mapping='same')
    runner = Runner.from_cfg(cfg)
    runner.train()
    given = torch.load(final, weights_only=True)
    params = dict(runner.model.named_parameters())
    assert torch.equal(params['head.weight'], given['state_dict']['head.weight'])
    saved = checkpoint_file.load(tmp_path / 'second/iter_12.pth')['mmlth']
    assert saved['digest'] == given['mmlth']['digest']
    cfg = Config(dict(cfg, work_dir=str(tmp_path / 'third'), experiment_name='third'))
    cfg.default_hooks.ticket.pop('mapping')
    with pytest.raises(UserError, match='cannot be read as a ticket'):
        Runner.from_cfg(cfg).train()
