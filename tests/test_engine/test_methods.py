"""What a round starts from and how its mask is drawn: each way through a real chain."""
import json

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS, RUNNERS
from mmengine.runner import Runner
from toy import ToyModel, lottery_config, toy_config

from mmlth.core import Ticket, checkpoint_file, paths
from mmlth.core.errors import UserError
from mmlth.core.random_state import random_state
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.rounds import round_config


def run(cfg):
    return RUNNERS.build(cfg).train()


def load(path):
    return checkpoint_file.load(path)


def ticket(work_dir, r=1):
    return Ticket.load(work_dir / f'round_{r}' / paths.TICKET)


def rounds(work_dir):
    return json.loads((work_dir / paths.LOTTERY).read_text())['rounds']


def assert_starts_from(ticket, weights):
    for name, start in ticket.state.items():
        expected = weights[name] * ticket.mask[name] if name in ticket.mask else weights[name]
        assert torch.equal(start, expected), name


# Modes of rewinding

@HOOKS.register_module(force=True)
class NoteRates(Hook):
    """The learning rates of each round, as (round, iteration) -> rates."""
    seen = {}
    priority = 'HIGH'       # before the schedulers step

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen[runner.work_dir[-1], runner.iter] = [
            g['lr'] for g in runner.optim_wrapper.optimizer.param_groups]


@pytest.mark.parametrize('by_epoch, length, iters', [
    (False, '3it', 3), (False, '50%', 6), (True, '1ep', 4), (True, '67%', 8)])
def test_finetuning_goes_on_with_the_last_rates(tmp_path, by_epoch, length, iters):
    NoteRates.seen = {}
    cfg = lottery_config(tmp_path, rounds=2, by_epoch=by_epoch)
    cfg.default_hooks.rewind.update(mode='finetune', length=length)
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=dict(head=dict(lr_mult=0.5)))
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.01,
                                by_epoch=False, begin=0, end=11)]
    cfg.custom_hooks = [dict(type='NoteRates')]
    run(cfg)
    assert [entry['iterations'] for entry in rounds(tmp_path)] == [12, iters, iters]
    last = NoteRates.seen['0', 11]
    assert max(last) == pytest.approx(0.001) and len(set(last)) == 2
    for r in '12':
        assert all(NoteRates.seen[r, i] == last for i in range(iters))
    for r in (1, 2):
        own = load(tmp_path / f'round_{r - 1}' / paths.FINAL)['state_dict']
        assert_starts_from(ticket(tmp_path, r), own)


@pytest.mark.parametrize('change, message', [
    (dict(mode='finetune'), 'needs a length'),
    (dict(length='20%'), "mode='weights' takes no length"),
    (dict(mode='finetune', length='2ep'), 'counted in max_iters'),
    (dict(mode='finetune', length='0%'), 'is nothing of 12'),
    (dict(mode='finetune', length='200%'), 'ends after'),
    (dict(mode='sideways'), 'expected one of: finetune, lr, signs, weights'),
])
def test_rewinding_mistakes(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        run(lottery_config(tmp_path, default_hooks=dict(rewind=change)))
    assert not list(tmp_path.glob('round_0/*.pth'))


@HOOKS.register_module(force=True)
class NoteNoise(Hook):
    """The first batch and the random state of each round."""
    seen = {}
    priority = 'LOWEST'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        state = random_state()
        self.seen.setdefault((runner.work_dir[-1], runner.iter), (
            data_batch['labels'].tolist(), state['torch'].tolist(), state['python'][1]))


@pytest.mark.parametrize('schedule', ['restart', 'resume'])
@pytest.mark.parametrize('repeats', [True, False])
def test_noise_is_rewound_too(tmp_path, schedule, repeats):
    NoteNoise.seen = {}
    cfg = lottery_config(tmp_path, schedule=schedule)
    cfg.default_hooks.rewind.random_state = repeats
    cfg.custom_hooks = [dict(type='NoteNoise')]
    run(cfg)
    for i in range(4 if schedule == 'resume' else 0, 12):
        dense, ticket = NoteNoise.seen['0', i], NoteNoise.seen['1', i]
        assert (dense == ticket) == repeats
        assert dense[1:] == ticket[1:] or not repeats


# Controls

def test_control_fresh_weights(tmp_path):
    """The ticket's mask; weights and statistics of a new initialisation, nothing learnt."""
    run(lottery_config(tmp_path / 'ticket', rounds=2))
    cfg = lottery_config(tmp_path / 'fresh', rounds=2, schedule='resume')
    cfg.default_hooks.prune.control = 'fresh_weights'
    cfg.default_hooks.rewind.schedule = 'restart'
    run(cfg)
    same, own = ticket(tmp_path / 'ticket', 2), ticket(tmp_path / 'fresh', 2)
    assert all(torch.equal(own.mask[n], keep) for n, keep in same.mask.items())
    assert own.state == {} and own.meta['control'] == 'fresh_weights'
    assert ticket(tmp_path / 'fresh', 1).meta['control'] is None
    first, last = (load(tmp_path / 'fresh' / f'round_{r}' / paths.FINAL) for r in (0, 2))
    assert first['meta']['seed'] != last['meta']['seed']
    cfg.model.init_cfg = [dict(type='Pretrained', checkpoint='w.pth'), dict(type='Normal')]
    cfg.model.backbone = dict(init_cfg=dict(type='Pretrained', checkpoint='w.pth'))
    cfg.model.neck = dict(init_cfg=dict(checkpoint='w.pth'))    # as MMDetection's PVT has it
    cfg.load_from = 'w.pth'
    spec = LotterySpec.of(cfg)
    fresh = round_config(cfg, spec, tmp_path / 'none', 2, seed=3)
    assert fresh.model.init_cfg == [dict(type='Normal')] and fresh.load_from is None
    assert fresh.model.backbone.init_cfg is fresh.model.neck.init_cfg is None
    assert not fresh.resume
    assert round_config(cfg, spec, tmp_path / 'none', 0, seed=3).load_from == 'w.pth'


@pytest.mark.parametrize('control', ['random_mask', 'shuffled_mask'])
def test_control_masks(tmp_path, control):
    run(lottery_config(tmp_path / 'ticket', rounds=2))
    cfg = lottery_config(tmp_path / 'control', rounds=2)
    cfg.default_hooks.prune.control = control
    run(cfg)
    same, own = ticket(tmp_path / 'ticket', 2).mask, ticket(tmp_path / 'control', 2).mask
    assert any(not torch.equal(same[n], own[n]) for n in same)
    assert all(same[n].sum() == own[n].sum() for n in same)
    # The rounds before the last are the lottery's.
    earlier = [ticket(tmp_path / d, 1).mask for d in ('ticket', 'control')]
    assert all(torch.equal(earlier[0][n], earlier[1][n]) for n in same)
    rewound = load(tmp_path / 'control/round_0' / paths.REWIND)['state_dict']
    assert_starts_from(ticket(tmp_path / 'control', 2), rewound)


def test_control_dense(tmp_path):
    """Nothing is pruned and the weights go on, round after round."""
    cfg = lottery_config(tmp_path, rounds=2)
    cfg.default_hooks.prune.control = 'dense'
    run(cfg)
    assert [entry['scope_sparsity'] for entry in rounds(tmp_path)] == [0, 0, 0]
    assert sum(entry['iterations'] for entry in rounds(tmp_path)) == 36
    for r in (1, 2):
        before = load(tmp_path / f'round_{r - 1}' / paths.FINAL)['state_dict']
        assert_starts_from(ticket(tmp_path, r), before)


# Scores and allocations

@pytest.mark.parametrize('score', ['snip', 'grasp', 'synflow'])
def test_drawn_before_the_training(tmp_path, score):
    """The dense training is left as it is without: weights, statistics, data and noise."""
    run(lottery_config(tmp_path / 'magnitude'))
    cfg = lottery_config(tmp_path / score)
    cfg.default_hooks.prune.update(score=score, batches=2)
    run(cfg)
    one, two = (load(tmp_path / d / 'round_0/iter_12.pth') for d in ('magnitude', score))
    assert all(torch.equal(one['state_dict'][n], two['state_dict'][n]) for n in one['state_dict'])
    assert torch.equal(one['mmlth']['random_state']['torch'],
                       two['mmlth']['random_state']['torch'])
    drawn = ticket(tmp_path / score)
    start_mask = Ticket.load(tmp_path / score / 'round_0' / paths.START_MASK).mask
    assert all(torch.equal(drawn.mask[n], start_mask[n]) for n in start_mask)
    other = ticket(tmp_path / 'magnitude').mask
    assert any(not torch.equal(drawn.mask[n], other[n]) for n in other)
    assert rounds(tmp_path / score)[1]['scope_sparsity'] == round(0.8 * 424) / 424
    assert_starts_from(drawn, load(tmp_path / score / 'round_0' / paths.REWIND)['state_dict'])


@MODELS.register_module(force=True)
class FrozenStageModel(ToyModel):
    """Freezes its first convolution whenever it is set to train, as mmdet's ResNet does."""

    def train(self, mode=True):
        super().train(mode)
        self.backbone[0].requires_grad_(False)
        return self


@pytest.mark.parametrize('score', ['snip', 'grasp', 'synflow'])
def test_stages_that_the_model_freezes_are_scored_too(tmp_path, score):
    cfg = toy_config(tmp_path, val=False, model=dict(type='FrozenStageModel'))
    cfg.default_hooks.prune = dict(type='mmlth.PruneHook', score=score, batches=2)
    runner = Runner.from_cfg(cfg)
    model = runner.train()
    keep = Ticket.load(tmp_path / paths.NEXT_TICKET).mask['backbone.0.weight']
    assert keep.any() and not keep.all()
    assert [n for n, p in model.named_parameters() if not p.requires_grad] == ['backbone.0.weight']


@pytest.mark.parametrize('by_epoch', [False, True])
def test_no_dense_training(tmp_path, by_epoch):
    cfg = lottery_config(tmp_path, to='0it', by_epoch=by_epoch)
    cfg.default_hooks.prune.update(score='snip', dense=False)
    run(cfg)
    first, last = rounds(tmp_path)
    assert (first['iterations'], first['metrics']) == (0, {})
    assert last['iterations'] == 12 and last['metrics']
    text = (tmp_path / paths.REPORT).read_text()
    assert 'The dense model was not trained' in text and 'early-bird' not in text.lower()


def test_random_score_differs_between_seeds(tmp_path):
    masks = []
    for seed in (3, 3, 4):
        cfg = toy_config(tmp_path / str(len(masks)), val=False, randomness=dict(seed=seed))
        cfg.default_hooks.prune = dict(type='mmlth.PruneHook', score='random')
        Runner.from_cfg(cfg).train()
        masks.append(Ticket.load(tmp_path / str(len(masks)) / paths.NEXT_TICKET).mask)
    same = [all(torch.equal(masks[0][n], m[n]) for n in m) for m in masks]
    assert same == [True, True, False]


def test_two_of_four(tmp_path):
    """Groups along the input channels, also of the transposed convolution (in, out, ...)."""
    cfg = lottery_config(tmp_path, sparsity=0.5, by_epoch=True)
    cfg.default_hooks.prune.allocation = '2:4'
    run(cfg)
    mask = ticket(tmp_path).mask
    assert mask['backbone.0.weight'].all()      # two input channels make no group
    kept = mask['backbone.3.weight'].unflatten(0, (2, 4)).sum(1)
    assert (kept == 2).all()
    assert (mask['head.weight'].unflatten(1, (2, 4)).sum(2) == 2).all()
    log = ''.join(path.read_text() for path in tmp_path.glob('round_0/2*/*.log'))
    assert '1 layer(s) stay whole' in log and 'backbone.0.weight' in log


def test_erk_keeps_small_layers(tmp_path):
    cfg = lottery_config(tmp_path, rounds=2)
    cfg.default_hooks.prune.allocation = 'erk'
    run(cfg)
    mask = ticket(tmp_path, 2).mask
    density = {n: float(m.float().mean()) for n, m in mask.items()}
    assert density['head.weight'] > density['backbone.0.weight'] > density['backbone.3.weight']
    assert rounds(tmp_path)[2]['scope_sparsity'] == round(0.8 * 424) / 424


@pytest.mark.parametrize('change, message', [
    (dict(score='snip', rounds=2), 'needs no training between rounds'),
    (dict(dense=False), "dense=False needs a mask drawn at the start"),
    (dict(score='snip', dense=False), "set RewindHook.to='0it'."),
    (dict(at='middle'), "'start' or 'end'"),
    (dict(batches=0), 'number of batches'),
    (dict(iterations=-1), 'at least 1'),
    (dict(control='luck'), 'fresh_weights, random_mask'),
    (dict(allocation='2:4'), 'sparsity=0.5'),
    (dict(allocation='2:4', sparsity=0.5, rounds=2), 'rounds=1'),
    (dict(allocation='4:2'), 'N:M with N < M such as 2:4'),
    (dict(allocation='2:4', sparsity=0.5, score='synflow'), 'iterations=1'),
])
def test_drawing_mistakes(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        run(lottery_config(tmp_path, default_hooks=dict(prune=change)))
    assert not list(tmp_path.glob('round_0/*.pth'))


def test_early_birds_of_a_mask_drawn_at_the_start_are_refused(tmp_path):
    cfg = lottery_config(tmp_path)
    cfg.default_hooks.prune.score = 'snip'
    cfg.default_hooks.early_bird = dict(type='mmlth.EarlyBirdHook', interval=2)
    with pytest.raises(UserError, match="at='end'"):
        run(cfg)
