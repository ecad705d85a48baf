"""Keep the gradients that accumulate between two updates."""
from typing import Any, Dict, Optional

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmlth.registry import HOOKS

from ..runners import bare_model


@HOOKS.register_module()
class GradientHook(Hook):
    """Save what a training with ``accumulative_counts`` has gathered for its next update.

    mmengine drops it: a training that goes on from a checkpoint between two updates makes a
    smaller step than the uninterrupted one. The gradients ride in such a checkpoint under
    ``mmlth``, {parameter name: tensor}; at an update there are none. A :class:`LotteryRunner`
    adds the hook to every round; it works under a stock ``Runner`` too.

    Note:
        Exact for one process; in distributed training each rank has gradients of its own, which
        are dropped as mmengine does. NORMAL priority: they are in place when a RewindHook
        saves.
    """

    def __init__(self) -> None:
        self.loaded: Optional[Dict[str, Any]] = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save them where the optimizer is saved, between two updates."""
        if 'optimizer' in checkpoint and get_world_size() == 1 and (
                not runner.optim_wrapper.should_update()):
            checkpoint.setdefault('mmlth', {})['gradients'] = {
                name: param.grad.detach().cpu().clone()
                for name, param in bare_model(runner.model).named_parameters()
                if param.grad is not None}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read them."""
        if runner._resume and get_world_size() == 1:
            self.loaded = checkpoint.get('mmlth', {}).get('gradients')

    def before_train(self, runner: Runner) -> None:
        """Put them back."""
        params = dict(bare_model(runner.model).named_parameters())
        for name, gradient in (self.loaded or {}).items():
            params[name].grad = torch.empty_like(params[name]).copy_(gradient)
        if self.loaded:
            runner.logger.info('The gradients gathered for the next update are put back (mmengine '
                               'says that they are lost).')
        self.loaded = None
