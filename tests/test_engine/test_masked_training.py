"""Pruned weights stay exactly 0 under the ways people train; each on a real Runner."""
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from toy import toy_config
from toy_ticket import WatchZeros, make_ticket, ticket_config

from mmlth.core import Ticket, checkpoint_file
from mmlth.core.errors import UserError
from mmlth.engine import MaskedAmpOptimWrapper, MaskedOptimWrapper

scales_on_cpu = pytest.mark.skipif(not hasattr(torch.amp, 'GradScaler'),
                                   reason='PyTorch scales gradients on a CPU from 2.3 on')


def train(cfg):
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert next(h for h in runner.hooks if isinstance(h, WatchZeros)).seen == runner.iter
    return runner


OPTIMIZERS = dict(
    sgd=dict(type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    adam=dict(type='Adam', lr=0.01, weight_decay=0.1),
    adamw=dict(type='AdamW', lr=0.01, weight_decay=0.1))


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_optimizers(tmp_path, name):
    ticket = make_ticket(tmp_path / 'ticket.safetensors')
    runner = train(ticket_config(tmp_path, optimizer=OPTIMIZERS[name], val=False))
    params = dict(runner.model.named_parameters())
    assert not torch.equal(params['head.weight'], ticket.state['head.weight'])
    held = sum(t.numel() for s in runner.optim_wrapper.optimizer.state.values()
               for t in s.values() if t.dim())
    survivors = sum(int(m.sum()) for m in ticket.mask.values())
    dense = sum(p.numel() for n, p in params.items() if n not in ticket.mask)
    assert held == (survivors + dense) * (1 if name == 'sgd' else 2)


@pytest.mark.parametrize('change', [
    dict(optim_wrapper=dict(clip_grad=dict(max_norm=0.01))),
    dict(optim_wrapper=dict(clip_grad=dict(type='value', clip_value=0.01))),
    dict(optim_wrapper=dict(accumulative_counts=5)),
    dict(optim_wrapper=dict(paramwise_cfg=dict(
        norm_decay_mult=0, bias_lr_mult=2, custom_keys=dict(head=dict(lr_mult=0.1))))),
    dict(custom_hooks=[dict(type='EMAHook', momentum=0.2)]),
    dict(custom_hooks=[dict(type='EMAHook', ema_type='mmdet.ExpMomentumEMA', gamma=5,
                            update_buffers=True)]),
    dict(custom_hooks=[dict(type='SyncBuffersHook')]),
    dict(activation_checkpointing=['backbone']),
], ids=lambda change: str(change)[:60])
def test_options(tmp_path, change):
    make_ticket(tmp_path / 'ticket.safetensors')
    train(ticket_config(tmp_path, **change))


def test_epochs_and_checkpoint_keys(tmp_path):
    ticket = make_ticket(tmp_path / 'ticket.safetensors')
    runner = train(ticket_config(tmp_path, by_epoch=True))
    checkpoint = checkpoint_file.load(tmp_path / 'epoch_3.pth')
    assert set(checkpoint['state_dict']) == set(runner.model.state_dict())
    assert set(checkpoint['mmlth']['masks']) == set(ticket.mask)


def test_paramwise_groups_keep_order_and_options(tmp_path):
    make_ticket(tmp_path / 'ticket.safetensors')
    change = dict(optim_wrapper=dict(paramwise_cfg=dict(
        custom_keys={'head': dict(lr_mult=0.1), 'backbone.0': dict(decay_mult=0)})))
    dense = Runner.from_cfg(toy_config(tmp_path / 'dense', val=False, **change))
    dense.train()
    masked = train(ticket_config(tmp_path, val=False, **change))

    def options(runner):
        return [{k: v for k, v in g.items() if k != 'params'}
                for g in runner.optim_wrapper.optimizer.param_groups]
    assert options(dense) == options(masked)


def test_clipping_counts_surviving_gradients_only(tmp_path, monkeypatch):
    """The logged norm is that of the masked gradient."""
    make_ticket(tmp_path / 'ticket.safetensors')
    norms = []

    @HOOKS.register_module(force=True)
    class Norms(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            norms.append(runner.message_hub.get_scalar('train/grad_norm').current())

    cfg = ticket_config(tmp_path, iters=4, val=False, custom_hooks=[dict(type='Norms')],
                        optim_wrapper=dict(clip_grad=dict(max_norm=1e9)))
    runner = Runner.from_cfg(cfg)
    seen = []
    original = MaskedOptimWrapper.step

    def step(self, **kwargs):
        mask = next(h.ticket.mask for h in runner.hooks if hasattr(h, 'ticket'))
        total = 0.0
        for name, param in runner.model.named_parameters():
            keep = mask.get(name, torch.ones_like(param, dtype=torch.bool))
            total += float(param.grad[keep].square().sum())
        seen.append(total ** 0.5)
        return original(self, **kwargs)

    monkeypatch.setattr(MaskedOptimWrapper, 'step', step)
    runner.train()
    assert norms == pytest.approx(seen, rel=1e-5) and len(seen) == 4


def test_dense_training_is_as_with_the_stock_wrapper(tmp_path):
    """Without a ticket the wrapper changes nothing, bit for bit."""
    states = []
    for kind in ('OptimWrapper', 'mmlth.MaskedOptimWrapper'):
        cfg = toy_config(tmp_path / kind, val=False)
        cfg.optim_wrapper.type = kind
        runner = Runner.from_cfg(cfg)
        runner.train()
        states.append(runner.model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@scales_on_cpu
def test_amp_with_skipped_steps(tmp_path, monkeypatch):
    """A real GradScaler: an overflow skips the step, the next ones are taken."""
    from mmengine.optim.optimizer import amp_optimizer_wrapper
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available', lambda: True)
    model = torch.nn.Linear(4, 4)
    mask = {'weight': torch.rand(4, 4, generator=torch.Generator().manual_seed(0)) > 0.5}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    wrapper = MaskedAmpOptimWrapper(optimizer=optimizer, clip_grad=dict(max_norm=1.0))
    wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=1024.0)
    wrapper.bind(dict(model.named_parameters()), mask)
    before = model.weight.detach().clone()
    wrapper.update_params(model(torch.full((2, 4), torch.inf)).nan_to_num(0).sum()
                          + model.weight.sum() * torch.inf)
    assert torch.equal(model.weight, before)            # skipped
    assert wrapper.loss_scaler.get_scale() == 512.0
    for _ in range(3):
        wrapper.update_params(model(torch.ones(2, 4)).square().sum())
        assert not model.weight[~mask['weight']].any()
    assert not torch.equal(model.weight, before)


def test_refusals(tmp_path):
    make_ticket(tmp_path / 'ticket.safetensors')
    cfg = ticket_config(tmp_path)
    cfg.optim_wrapper.type = 'OptimWrapper'
    with pytest.raises(UserError, match='OptimWrapper is not mask-aware'):
        Runner.from_cfg(cfg).train()
    cfg = ticket_config(tmp_path)
    cfg.default_hooks.ticket.ticket = str(tmp_path / 'none.safetensors')
    with pytest.raises(UserError, match='there is no ticket'):
        Runner.from_cfg(cfg).train()


def test_resume_with_another_ticket_is_refused(tmp_path):
    make_ticket(tmp_path / 'ticket.safetensors')
    train(ticket_config(tmp_path))
    make_ticket(tmp_path / 'ticket.safetensors', sparsity=0.5)
    cfg = ticket_config(tmp_path, iters=20)
    cfg.resume = True
    with pytest.raises(UserError, match='not the ticket that this training began with'):
        Runner.from_cfg(cfg).train()


def test_prune_hook_alone(tmp_path):
    """At the end of any training: a ticket from the trained weights, or rewound."""
    cfg = toy_config(tmp_path / 'a', val=False)
    cfg.default_hooks.prune = dict(type='mmlth.PruneHook', sparsity=0.6, scope=['head'])
    runner = Runner.from_cfg(cfg)
    runner.train()
    ticket = Ticket.load(tmp_path / 'a/next_ticket.safetensors')
    assert list(ticket.mask) == ['head.weight']
    trained = runner.model.state_dict()
    assert torch.equal(ticket.state['head.weight'],
                       trained['head.weight'] * ticket.mask['head.weight'])
    assert ticket.meta['sparsity'] == 0.6 and ticket.meta['scope'] == ['head']

    cfg = toy_config(tmp_path / 'b', val=False)
    cfg.default_hooks.prune = dict(type='mmlth.PruneHook', sparsity=0.6, scope=['head'])
    cfg.default_hooks.rewind = dict(type='mmlth.RewindHook', to='25%')
    Runner.from_cfg(cfg).train()
    rewound = checkpoint_file.load(tmp_path / 'b/rewind.pth')
    assert rewound['meta']['iter'] == 3
    ticket = Ticket.load(tmp_path / 'b/next_ticket.safetensors')
    assert torch.equal(ticket.state['backbone.0.weight'],
                       rewound['state_dict']['backbone.0.weight'])


def test_diverged_training_is_named(tmp_path):
    cfg = toy_config(tmp_path, val=False, optimizer=dict(type='SGD', lr=1e30))
    cfg.default_hooks.prune = dict(type='mmlth.PruneHook')
    with pytest.raises(UserError, match='non-finite weights'):
        Runner.from_cfg(cfg).train()
    assert not (tmp_path / 'next_ticket.safetensors').exists()


def test_rewind_point_is_a_checkpoint_of_that_iteration(tmp_path):
    cfg = toy_config(tmp_path, by_epoch=True, val=False)
    cfg.default_hooks.rewind = dict(type='mmlth.RewindHook', to='2ep', schedule='resume')
    Runner.from_cfg(cfg).train()
    rewound = checkpoint_file.load(tmp_path / 'rewind.pth')
    same = checkpoint_file.load(tmp_path / 'epoch_2.pth')
    assert rewound['meta']['epoch'] == same['meta']['epoch'] == 2
    assert all(torch.equal(rewound['state_dict'][n], same['state_dict'][n])
               for n in same['state_dict'])
    assert rewound['param_schedulers'] == same['param_schedulers']

    cfg = toy_config(tmp_path / 'inside', by_epoch=True, val=False)
    cfg.default_hooks.rewind = dict(type='mmlth.RewindHook', to='5it', schedule='resume')
    with pytest.raises(UserError, match='inside an epoch of 4 iterations'):
        Runner.from_cfg(cfg).train()


def test_a_rewind_point_gives_the_schedule_and_the_ticket_the_weights(tmp_path):
    """With no iteration left, the training ends with the weights it starts from."""
    cfg = toy_config(tmp_path / 'dense', val=False)
    cfg.default_hooks.rewind = dict(type='mmlth.RewindHook', to='4it')
    Runner.from_cfg(cfg).train()
    ticket = make_ticket(tmp_path / 'ticket.safetensors')
    cfg = ticket_config(tmp_path, iters=4, val=False)
    cfg.custom_hooks = []
    cfg.resume, cfg.load_from = True, str(tmp_path / 'dense/rewind.pth')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 4
    state = runner.model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in ticket.state.items())


@pytest.mark.parametrize('floor, left', [(0.0, 0), (0.1, 2)])
def test_an_emptied_layer_is_told(tmp_path, floor, left):
    @HOOKS.register_module(force=True)
    class TinyHead(Hook):
        """Makes the head's weights the smallest of all."""

        def after_train(self, runner):
            runner.model.head.weight.data.mul_(1e-6)

    cfg = toy_config(tmp_path, val=False)
    cfg.custom_hooks = [dict(type='TinyHead')]
    cfg.default_hooks.prune = dict(type='mmlth.PruneHook', sparsity=0.8, floor=floor)
    runner = Runner.from_cfg(cfg)
    runner.train()
    mask = Ticket.load(tmp_path / 'next_ticket.safetensors').mask
    assert int(mask['head.weight'].sum()) == left
    log = next(tmp_path.glob('2*/*.log')).read_text()
    assert ('Nothing survives of 1 layer(s): head.weight' in log) == (left == 0)
