"""One round's tensors at a time, and no more of them than a dense training has."""
import gc
import weakref

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS, RUNNERS
from toy import ToyModel, lottery_config

from mmlth.engine.hooks.ticket_hook import TicketHook
from mmlth.engine.runners import ema_copies

alive = {}      # name -> weak reference, of the rounds before


def still_alive():
    return sorted({name for name, reference in alive.items() if reference() is not None})


@MODELS.register_module(force=True)
class BuiltModel(ToyModel):
    """Fails if anything of an earlier round is there when it is built."""

    def __init__(self):
        assert still_alive() == []
        super().__init__()


@HOOKS.register_module(force=True)
class WatchMemory(Hook):
    """Notes what a round holds, and sees the start weights go."""
    priority = 'VERY_HIGH'      # before the TicketHook lets go of them

    def before_train(self, runner):
        self.start = [weakref.ref(t) for hook in runner.hooks if isinstance(hook, TicketHook)
                      for t in [*hook.ticket.state.values(), *hook.ticket.mask.values()]]

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        assert not any(reference() is not None for reference in self.start)

    def after_train(self, runner):
        number = runner.cfg.work_dir[-1]
        optimizer = runner.optim_wrapper.optimizer
        held = {
            'runner': runner, 'wrapper': runner.optim_wrapper, 'optimizer': optimizer,
            'loader': runner.train_dataloader, 'visualizer hook': self,
            **{f'hook {type(hook).__name__}': hook for hook in runner.hooks},
            **dict(runner.model.named_parameters()), **dict(runner.model.named_buffers()),
            **{f'average {n}': t for copy in ema_copies(runner)
               for n, t in copy.named_parameters()},
            **{f'state {i} {key}': t for i, state in enumerate(optimizer.state.values())
               for key, t in state.items() if isinstance(t, torch.Tensor)}}
        alive.update({f'round {number}: {n}': weakref.ref(thing) for n, thing in held.items()})


def test_nothing_of_a_round_is_there_when_the_next_builds_its_model(tmp_path):
    alive.clear()
    cfg = lottery_config(tmp_path, rounds=2, iters=6, val=False,
                         optimizer=dict(type='AdamW', lr=0.01))
    cfg.model.type = 'BuiltModel'
    cfg.custom_hooks = [dict(type='WatchMemory'), dict(type='EMAHook')]
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    cfg.vis_backends = [dict(type='LocalVisBackend')]
    cfg.visualizer = dict(type='Visualizer', vis_backends=cfg.vis_backends)
    model = RUNNERS.build(cfg).train()
    assert {name[:7] for name in alive} == {'round 0', 'round 1', 'round 2'}
    gc.collect()
    # The last one's is returned; nothing else of it is left.
    last = {f'round 2: {n}' for n, _ in [*model.named_parameters(), *model.named_buffers()]}
    assert set(still_alive()) == last


def bytes_of(model, optimizer, binding):
    """Every storage once: weights, gradients, the optimizer's tensors, positions."""
    tensors = [*model.parameters(), *(p for g in optimizer.param_groups for p in g['params'])]
    tensors += [t.grad for t in tensors if t.grad is not None]
    tensors += [t for s in optimizer.state.values() for t in s.values() if torch.is_tensor(t)]
    if binding is not None:
        tensors += [group.survivors.index for group in binding._groups]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes()
                for t in tensors}.values())


@pytest.mark.parametrize('sparsity', [0.5, 0.8, 0.9])
@pytest.mark.parametrize('kind, state', [('SGD', 1), ('AdamW', 2)])
def test_a_ticket_takes_no_more_bytes_than_the_dense_model(kind, state, sparsity):
    from mmlth.benchmark.memory import fill_gradients, measure
    from mmlth.core import MaskBinding, draw, select
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(16, 40, 3), torch.nn.Linear(200, 150, bias=False), torch.nn.Conv2d(4, 4, 1),
        *[torch.nn.Linear(250, 200) for _ in range(3)])
    options = dict(weight_decay=0.01, **(dict(momentum=0.9) if kind == 'SGD' else {}))

    def make(params):
        return getattr(torch.optim, kind)(params, lr=0.1, **options)
    mask = draw(select(model), sparsity)
    dense, ticket = measure(model, make, None), measure(model, make, mask)
    assert ticket[0] <= dense[0] and ticket[1] <= dense[1]
    weights, survivors = sum(m.numel() for m in mask.values()), sum(
        int(m.sum()) for m in mask.values())
    others = sum(p.numel() for p in model.parameters()) - weights
    # Weight and gradient, then state and position of a survivor; `step` is a scalar.
    most = (8 * weights + 4 * (state + 1) * survivors + (8 + 4 * state) * others)
    assert 0.9 * most < ticket[0] <= most + 64      # scalars

    optimizer = make(model.parameters())
    binding = MaskBinding(optimizer, dict(model.named_parameters()), mask)
    binding.scatter()
    for _ in range(2):      # counted tensor by tensor it is the same
        fill_gradients(model)
        before = bytes_of(model, optimizer, binding)
        binding.gather()
        within = bytes_of(model, optimizer, binding)
        optimizer.step()
        binding.scatter()
        binding.zero_grad()
        optimizer.zero_grad()
    assert abs(before - ticket[0]) < 64 and within <= before
