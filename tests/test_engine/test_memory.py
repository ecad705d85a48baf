"""One round's tensors at a time, and no more of them than a dense training has."""
import gc
import weakref

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS, RUNNERS
from mmengine.runner import Runner
from toy import ToyModel, lottery_config
from toy_ticket import make_ticket, ticket_config

from mmlth.engine.hooks.ticket_hook import TicketHook, ema_copies

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
