"""Train a ticket of the toy model. (toy.py itself does without mmlth, as stock tools do.)"""
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from toy import ToyModel, toy_config

from mmlth.core import Ticket, checkpoint_file, draw, select, snapshot
from mmlth.engine.runners import ema_copies


@HOOKS.register_module(force=True)
class WatchZeros(Hook):
    """Fails on the first pruned weight that is not 0, in the model and its EMA copy."""
    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        mask = next(h.ticket.mask for h in runner.hooks if hasattr(h, 'ticket'))
        for model in [runner.model, *ema_copies(runner)]:
            params = dict(model.named_parameters())
            for name, keep in mask.items():
                assert not params[name][~keep].any(), (name, runner.iter)
        self.seen = runner.iter + 1


def make_ticket(path, sparsity=0.7, seed=5):
    """A ticket of a freshly initialised toy model."""
    torch.manual_seed(seed)
    model = ToyModel()
    mask = draw(select(model), sparsity)
    ticket = Ticket.draw(mask, snapshot(model), {}, 'test')
    ticket.save(path)
    return ticket


def ticket_config(tmp_path, **kwargs):
    cfg = toy_config(tmp_path, **kwargs)
    cfg.optim_wrapper.type = 'mmlth.MaskedOptimWrapper'
    cfg.default_hooks.ticket = dict(
        type='mmlth.TicketHook', ticket=str(tmp_path / 'ticket.safetensors'))
    cfg.custom_hooks = [dict(type='WatchZeros'), *cfg.get('custom_hooks', [])]
    return cfg


def check_files(folder):
    """No checkpoint in ``folder``, nor its averaged weights, may hold a pruned weight."""
    mask = Ticket.load(folder / 'ticket.safetensors').mask
    paths = sorted(folder.glob('*.pth'))
    assert paths
    for path in paths:
        checkpoint = checkpoint_file.load(path)
        averaged = checkpoint.get('ema_state_dict', {})
        for name, keep in mask.items():
            assert not checkpoint['state_dict'][name][~keep].any(), (path, name)
            assert checkpoint['state_dict'][name][keep].any(), (path, name)
            if averaged:
                assert not averaged[f'module.{name}'][~keep].any(), (path, name)
    return paths
