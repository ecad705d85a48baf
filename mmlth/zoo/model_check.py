"""What is checked of each distinct model: scope, ticket, binding and one masked update.

The real hooks and the real optimizer and wrapper of the rounds' configs; only the training
between them is replaced, by synthetic weights and gradients.
"""
from pathlib import Path
from typing import Dict

import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmlth import compat
from mmlth.core import Ticket, select
from mmlth.core import mask as masks
from mmlth.engine.hooks.ticket_hook import ema_copies
from mmlth.engine.preview import build_model
from mmlth.engine.rounds import hook_config

from .light import Noise, amp_on_cpu, light_building, working_in
from .listing import library_root
from .result import FAILED, NOT_BUILT, PASSED, Result, place_of, reason_of
from .scope_check import check_scope, kinds_of
from .settings_check import derive_rounds, expected_refusal, ticket_path


class CheckFailed(Exception):
    """What should be so is not; the message says what."""


class _Bare(Runner):
    """A Runner without data that leaves the model on the CPU."""
    train_dataloader = DataLoader([0])

    def wrap_model(self, model_wrapper_cfg, model):
        return model


def check_model(library: str, name: str, override: str, work_dir: str) -> Result:
    """Check the model and the optimizer of one config.

    Args:
        library: ``'mmdet'`` or ``'mmpose'``.
        name: The config's name.
        override: The override's file.
        work_dir: An empty folder.
    """
    result = Result(library, name, PASSED, checked=name)
    root = library_root(library)
    compat.apply()
    with working_in(root), light_building(), amp_on_cpu():
        try:
            stock = Config.fromfile(str(root / 'configs' / name))
            model = build_model(stock)
            if not expected_refusal(stock):
                make_runner(model, stock, work_dir).build_optim_wrapper(stock.optim_wrapper)
        except Exception as error:
            result.status, result.reason = NOT_BUILT, reason_of(error)
            return result
        result.network_weights = sum(p.numel() for p in model.parameters())
        scope = select(model)
        result.scope_weights = sum(p.numel() for p in scope.values())
        result.in_scope, result.left_out = kinds_of(model, scope)
        if expected_refusal(stock):
            return result
        try:
            first, last = derive_rounds(library, name, override, work_dir)
            runner = make_runner(model, last, work_dir)
            check_scope(model, scope)
            mask = check_drawing(runner, first, work_dir)
            check_binding(runner, last, mask)
            check_update(runner, mask)
        except Exception as error:
            result.status, result.reason = FAILED, f'{reason_of(error)} ({place_of(error)})'
    return result


def make_runner(model: nn.Module, cfg: Config, work_dir) -> Runner:
    """A Runner of the built model that has no data, with the config's EMA hooks."""
    runner = _Bare(model=model, work_dir=str(work_dir), log_level='ERROR',
                   default_scope=cfg.get('default_scope', 'mmengine'),
                   experiment_name=f'zoo_{id(model)}_{id(cfg)}')
    for hook in cfg.get('custom_hooks') or []:
        kind = HOOKS.get(hook['type']) if isinstance(hook['type'], str) else hook['type']
        if kind is not None and issubclass(kind, EMAHook):
            runner.register_hook({**hook})     # it takes the priority out
    return runner


def check_drawing(runner: Runner, cfg: Config, work_dir) -> Dict[str, Tensor]:
    """Draw the ticket of round 1 from synthetic weights; it must read back as drawn."""
    model = runner.model
    Noise().fill(model)
    runner.optim_wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    settings = hook_config(cfg, 'PruneHook')
    hook = HOOKS.build({**settings, 'rewind': None})    # from the weights as they are
    hook.before_train(runner)
    hook.after_train(runner)
    mask = Ticket.load(ticket_path(work_dir)).mask
    in_scope, pruned = masks.size(mask), masks.pruned(mask)
    _check(list(mask) == list(select(model, hook.scope, hook.frozen)),
           'the ticket has other weights than the scope')
    _check(pruned == round(hook.sparsity * in_scope),
           f'{pruned} of {in_scope} weights are pruned, not {hook.sparsity:.0%}')
    _check(not masks.emptied(mask), f'nothing survives of {masks.emptied(mask)}')
    return mask


def check_binding(runner: Runner, cfg: Config, mask: Dict[str, Tensor]) -> None:
    """Load the ticket into other weights; all must be those drawn, and 0 where pruned."""
    model = runner.model
    with torch.no_grad():
        for param in model.parameters():
            param.fill_(1)
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            hook.before_run(runner)
    runner.optim_wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    hook = HOOKS.build(hook_config(cfg, 'TicketHook'))
    runner.register_hook(hook)
    hook.before_run(runner)
    hook.before_train(runner)
    drawn = Noise()
    for copy in [model, *ema_copies(runner)]:
        for number, (name, param) in enumerate(copy.named_parameters()):
            expected = drawn.like(param, number)
            if name in mask:
                expected = expected * mask[name]
            _check(torch.equal(param.detach(), expected), f'{name} does not start as drawn')


def check_update(runner: Runner, mask: Dict[str, Tensor]) -> None:
    """One update with a gradient of 1 everywhere: pruned weights stay 0, others move."""
    wrapper, params = runner.optim_wrapper, dict(runner.model.named_parameters())
    trained = [p for p in params.values() if p.requires_grad]
    _check(bool(trained), 'no parameter is trained')
    before = {n: params[n].detach().clone() for n in mask if params[n].requires_grad}
    for _ in range(wrapper._accumulative_counts):
        wrapper.update_params(sum(p.sum() for p in trained))
    for name, keep in mask.items():
        _check(not params[name][~keep].any(), f'pruned weights of {name} are not 0')
    moved = any(not torch.equal(params[name], before[name]) for name in before)
    _check(moved, 'the update moves no weight in scope')    # lr_mult=0 may hold some


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise CheckFailed(message)
