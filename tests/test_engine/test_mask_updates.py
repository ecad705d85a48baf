"""Masks that change while a ticket trains: gradual pruning, SET and RigL on real Runners."""
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS
from mmengine.runner import Runner
from test_masked_training import scales_on_cpu, train
from test_ways_of_training import EMA, TOGETHER, amp  # noqa: F401
from toy import ToyModel
from toy_ticket import make_ticket, ticket_config

from mmlth.core import Ticket, checkpoint_file, draw, snapshot
from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.core.updates import cubic_sparsity
from mmlth.engine.checkpoints import masks_of

WHEN = dict(interval=2, end='10it')
UPDATES = dict(gradual=dict(type='gradual', sparsity=0.8, **WHEN), set=dict(type='set', **WHEN),
               rigl=dict(type='rigl', **WHEN))
ADAM = dict(type='Adam', lr=0.01, weight_decay=0.1)
every_update = pytest.mark.parametrize('kind', UPDATES)


@HOOKS.register_module(force=True)
class Follow(Hook):
    """Notes mask and weights after each iteration; ends the process at one, as a kill would."""

    def __init__(self, kill=None):
        self.kill, self.masks, self.weights = kill, [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.masks.append(runner.optim_wrapper.mask)
        self.weights.append({n: p.detach().clone() for n, p in runner.model.named_parameters()})
        if runner.iter + 1 == self.kill:
            raise KeyboardInterrupt


def config(folder, update, kill=None, **kwargs):
    """A training of a ticket with ``update``; gradual begins with all weights."""
    if not (folder / 'ticket.safetensors').exists():
        gradual = isinstance(update, dict) and update['type'] == 'gradual'
        make_ticket(folder / 'ticket.safetensors', sparsity=0.0 if gradual else 0.7)
    kwargs['custom_hooks'] = [dict(type='Follow', kill=kill), *kwargs.get('custom_hooks', ())]
    cfg = ticket_config(folder, val=False, **kwargs)
    cfg.default_hooks.ticket['update'] = update
    cfg.default_hooks.update(random_state=dict(type='mmlth.RandomStateHook'),
                             gradients=dict(type='mmlth.GradientHook'))
    return cfg


def run(folder, update, **kwargs):
    runner = train(config(folder, update, **kwargs))
    return runner, next(hook for hook in runner.hooks if isinstance(hook, Follow))


def counts(mask):
    return {name: int(keep.sum()) for name, keep in mask.items()}


def changes(follow, start):
    """The iterations, from 1, at which the mask changed."""
    digests = [masks.digest(mask) for mask in [start, *follow.masks]]
    return [i for i, pair in enumerate(zip(digests, digests[1:]), 1) if pair[0] != pair[1]]


@pytest.mark.parametrize('kind', ['set', 'rigl'])
def test_weights_move_and_layers_keep_their_counts(tmp_path, kind):
    runner, follow = run(tmp_path, UPDATES[kind])
    ticket = Ticket.load(tmp_path / 'ticket.safetensors')
    assert changes(follow, ticket.mask) == [2, 4, 6, 8]      # at the end nothing moves any more
    assert all(counts(mask) == counts(ticket.mask) for mask in follow.masks)
    for i in (4, 6):
        before, after = follow.weights[i - 2], follow.weights[i - 1]
        keep = {n: follow.masks[i - 2][n] & follow.masks[i - 1][n] for n in ticket.mask}
        moved = any(bool((before[n] != after[n])[keep[n]].any()) for n in keep)
        assert moved == (kind == 'set')      # of RigL an update takes the place of the step
        grown = follow.masks[i - 1]['backbone.3.weight'] & ~follow.masks[i - 2]['backbone.3.weight']
        assert grown.any() and bool(after['backbone.3.weight'][grown].any()) == (kind == 'set')
    checkpoint = checkpoint_file.load(tmp_path / 'iter_12.pth')
    assert masks.digest(masks_of(checkpoint['mmlth'])) == masks.digest(follow.masks[-1])
    assert checkpoint['mmlth']['update'] == dict(
        done=10, ticket=masks.digest(ticket.mask), target=None)


@pytest.mark.parametrize('allocation', ['global', 'layerwise', 'erk'])
def test_gradual_pruning_follows_its_schedule(tmp_path, allocation):
    update = dict(UPDATES['gradual'], begin='2it', allocation=allocation)
    _, follow = run(tmp_path, update)
    for i, mask in enumerate(follow.masks, 1):
        target = cubic_sparsity(0.8, max(0, min(i // 2 * 2, 10) - 2) / 8)
        parts = [{n: m} for n, m in mask.items()] if allocation == 'layerwise' else [mask]
        for part in parts:
            assert masks.pruned(part) == round(target * masks.size(part))
    for before, after in zip(follow.masks, follow.masks[1:]):   # never back
        assert not any(bool((after[n] & ~before[n]).any()) for n in after)
    if allocation == 'global':      # at the end the smallest weights of those before go
        before, left = follow.masks[8], follow.masks[9]
        sizes = {n: follow.weights[8][n].abs() for n in left}
        gone = max(float(sizes[n][before[n] & ~left[n]].max()) for n in left
                   if (before[n] & ~left[n]).any())
        assert gone <= min(float(sizes[n][left[n]].min()) for n in left if left[n].any())
    entry = checkpoint_file.load(tmp_path / 'iter_12.pth')['mmlth']['update']
    exact = 'layer' if allocation == 'layerwise' else 'scope'
    assert (entry['done'], entry['target']) == (10, dict(sparsity=0.8, exact=exact, floor=0.0))


def test_gradual_pruning_begins_with_all_weights(tmp_path):
    make_ticket(tmp_path / 'ticket.safetensors', sparsity=0.5)
    with pytest.raises(UserError, match='prunes 212 of 424 weights, but Gradual begins with all'):
        run(tmp_path, UPDATES['gradual'])


def test_a_training_that_ends_before_its_last_update_says_so(tmp_path):
    said = []

    @HOOKS.register_module(force=True)
    class Listen(Hook):
        def before_train(self, runner):
            runner.logger.warning = said.append

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            runner.train_loop.stop_training = runner.iter == 6

    _, follow = run(tmp_path, UPDATES['gradual'], custom_hooks=[dict(type='Listen')])
    assert len(follow.masks) == 7
    assert 'before the last update of its mask (iteration 10): the mask is that of iteration 6' in (
        said[-1])


@every_update
@pytest.mark.parametrize('way', [
    dict(optimizer=ADAM, optim_wrapper=TOGETHER, custom_hooks=[EMA]),
    dict(custom_hooks=[EMA], optim_wrapper=dict(clip_grad=dict(max_norm=0.5)))],
    ids=['accumulation', 'momentum'])
def test_killed_between_two_updates_and_resumed_is_as_uninterrupted(tmp_path, kind, way):
    accumulated = way.get('optim_wrapper', {}).get('accumulative_counts', 1)
    update = dict(UPDATES[kind], end='12it', interval=2 * accumulated,
                  **({} if kind == 'gradual' else dict(fraction=0.9)))
    _, follow = run(tmp_path / 'whole', update, **way)
    often = dict(default_hooks=dict(checkpoint=dict(interval=5)))
    with pytest.raises(KeyboardInterrupt):
        train(config(tmp_path / 'cut', update, kill=6, **way, **often))
    _, rest = run(tmp_path / 'cut', update, resume=True, **way)
    assert len(rest.masks) == 7
    for name in follow.masks[0]:
        for one, other in zip(follow.masks[5:], rest.masks):
            assert torch.equal(one[name], other[name])
    first, second = (checkpoint_file.load(tmp_path / name / 'iter_12.pth')
                     for name in ('whole', 'cut'))
    assert first['mmlth']['update'] == second['mmlth']['update']
    for key in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(first[key][n], second[key][n]) for n in first[key]), key
    states = [checkpoint['optimizer']['state'] for checkpoint in (first, second)]
    for index, state in states[0].items():
        for key, value in state.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(states[1][index][key]))
    moved = [n for n, keep in follow.masks[-1].items()
             if not torch.equal(keep, follow.masks[4][n])]
    assert moved        # something was left to do after the kill


def test_an_update_waits_for_the_optimizers_step(tmp_path):
    """Updates are due at 2, 5, 8, 11; with accumulation there are steps at 3, 6, 9, 12."""
    _, follow = run(tmp_path, dict(UPDATES['gradual'], interval=3, begin='2it', end='11it'),
                    optim_wrapper=dict(accumulative_counts=3))
    start = Ticket.load(tmp_path / 'ticket.safetensors').mask
    assert changes(follow, start) == [3, 6, 9, 12]
    assert masks.pruned(follow.masks[-1]) == round(0.8 * 424)


@MODELS.register_module(force=True)
class OverflowsLate(ToyModel):
    """Its fourth loss, at which an update is due, is infinite."""
    calls = 0

    def forward(self, inputs, labels, mode='tensor'):
        result = super().forward(inputs, labels, mode)
        if mode == 'loss':
            self.calls += 1
            result['loss'] = result['loss'] * (torch.inf if self.calls == 4 else 1)
        return result


@scales_on_cpu
@every_update
def test_amp(tmp_path, amp, kind):  # noqa: F811
    """bf16; where AMP finds an infinite gradient and skips the step, the update waits."""
    cfg = config(tmp_path, UPDATES[kind], model=dict(type='OverflowsLate'), custom_hooks=[EMA])
    cfg.optim_wrapper.update(type='mmlth.MaskedAmpOptimWrapper', dtype='bfloat16',
                             loss_scale=dict(init_scale=64.0))
    follow = next(h for h in train(cfg).hooks if isinstance(h, Follow))
    found = changes(follow, Ticket.load(tmp_path / 'ticket.safetensors').mask)
    assert found == ([2, 5, 6, 8, 10] if kind == 'gradual' else [2, 5, 6, 8])


@MODELS.register_module(force=True)
class PartlyFrozen(ToyModel):
    """The first layer is frozen; a further one has no part in the loss."""

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Conv2d(4, 4, 3)
        self.backbone[0].weight.requires_grad_(False)


@pytest.mark.parametrize('kind', ['set', 'rigl'])
def test_layers_without_a_gradient_keep_their_masks(tmp_path, kind):
    model = PartlyFrozen()
    mask = draw({n: p for n, p in model.named_parameters() if p.dim() > 1}, 0.5,
                allocation='layerwise')
    Ticket.draw(mask, snapshot(model), {}, 'test').save(tmp_path / 'ticket.safetensors')
    _, follow = run(tmp_path, UPDATES[kind], model=dict(type='PartlyFrozen'))
    for name, keep in follow.masks[-1].items():
        still = name in ('unused.weight', 'backbone.0.weight')
        assert torch.equal(keep, mask[name]) == still, name


@pytest.mark.parametrize('update, words', [
    (dict(type='rigl', interval=0), 'RigL: interval must be a number of iterations, at least 1'),
    (dict(type='set', fraction=0), 'SET: fraction is that of the weights of a layer'),
    (dict(type='set', fraction=1.5), 'got 1.5'),
    (dict(type='gradual', begin='later'), "Gradual: begin: expected '600it'"),
    (dict(type='gradual', sparsity=80), 'sparsity must be the fraction'),
    (dict(type='rigle'), "unknown mask update 'rigle', expected one of: gradual, rigl, set"),
    (dict(type='rigl', fractoin=0.2), "mask update 'rigl': .*fractoin"),
    (dict(type='set', end='13it'), "SET: end: '13it' is iteration 13, but the training ends"),
    (dict(type='set', begin='9it', end='50%'), 'SET: the updates begin at iteration 9'),
], ids=str)
def test_refusals(tmp_path, update, words):
    with pytest.raises(UserError, match=words):
        Runner.from_cfg(config(tmp_path, update)).train()


def test_an_optimizer_whose_state_cannot_begin_late_is_refused(tmp_path):
    rprop = dict(type='Rprop', lr=0.01)
    run(tmp_path / 'gradual', UPDATES['gradual'], optimizer=rprop)
    with pytest.raises(UserError, match='Rprop keeps a step size for every weight'):
        Runner.from_cfg(config(tmp_path / 'set', 'set', optimizer=rprop)).train()


def test_a_training_that_goes_on_without_its_update_is_refused(tmp_path):
    run(tmp_path, UPDATES['rigl'])
    cfg = config(tmp_path, None, iters=14, resume=True)
    with pytest.raises(UserError, match=r'the masks of this training change; to .*update=\.\.\.'):
        Runner.from_cfg(cfg).train()
