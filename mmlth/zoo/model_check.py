"""What is checked of each distinct model: scope, ticket, binding and one masked update.

The real hooks and the real optimizer and wrapper of the rounds' configs; only the training
between them is replaced, by synthetic weights and gradients.
"""
import hashlib
from types import MappingProxyType
from typing import Any, Dict, Iterator, Mapping, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from mmlth.core import select
from mmlth.core import mask as masks
from mmlth.core.files import AnyPath
from mmlth.engine import PruneHook
from mmlth.engine.chain.lottery_spec import needed_hook
from mmlth.engine.hook_configs import class_of
from mmlth.engine.model import build_model
from mmlth.engine.runners import ema_copies

from .light import Noise, amp_on_cpu, light_building, working_in
from .listing import library_root
from .result import FAILED, NOT_BUILT, PASSED, Result, place_of, reason_of
from .scope_check import check_scope, kinds_of
from .settings_check import derive_rounds, expected_refusal


class CheckFailed(Exception):
    """What should be so is not; the message says what."""


class _Bare(Runner):
    """A Runner without data that leaves the model on the CPU."""
    train_dataloader: DataLoader = DataLoader(TensorDataset(torch.zeros(1)))

    def wrap_model(self, model_wrapper_cfg: Optional[Dict[str, Any]],
                   model: nn.Module) -> nn.Module:
        return model


def check_model(library: str, name: str, override: str, work_dir: str,
                known: Mapping[str, str] = MappingProxyType({})) -> Result:
    """Check the model and the optimizer of one config.

    Args:
        library: ``'mmdet'`` or ``'mmpose'``.
        name: The config's name.
        override: The override's file.
        work_dir: An empty folder.
        known: The :func:`signature` of each network that has passed -> its config: for an
            equal one no ticket is drawn again. Default: none.
    """
    result = Result(library, name, PASSED, checked=name)
    root = library_root(library)
    with working_in(root), light_building(), amp_on_cpu():
        try:
            stock = Config.fromfile(str(root / 'configs' / name))
            runner = make_runner(build_model(stock), stock, work_dir)
            trained = not expected_refusal(stock)
            if trained:
                runner.optim_wrapper = runner.build_optim_wrapper(stock.optim_wrapper)
        except Exception as error:
            result.status, result.reason = NOT_BUILT, reason_of(error)
            return result
        try:
            measure(result, runner.model)
            result.signature = signature(runner.model, stock)
            result.checked = known.get(result.signature, name)
            if trained and result.checked == name:
                check_lottery(runner, derive_rounds(library, name, override, work_dir))
        except Exception as error:
            result.status, result.reason = FAILED, f'{reason_of(error)} ({place_of(error)})'
    return result


def signature(model: nn.Module, stock: Config) -> str:
    """Equal for networks that a ticket cannot tell apart, trained by equal optimizers.

    Their parameters have the same names, shapes and kinds; losses, anchors and the like may
    differ.
    """
    parts = [[(n, tuple(p.shape), p.dtype, p.requires_grad) for n, p in model.named_parameters()],
             [(n, type(m).__name__) for n, m in model.named_modules() if m._parameters],
             stock.get('default_scope'), stock.get('optim_wrapper'), averaging(stock)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def averaging(stock: Config) -> list:
    """The hooks of a config that keep an average of its model."""
    return [hook for hook in stock.get('custom_hooks') or [] if 'EMA' in str(hook.get('type'))]


def measure(result: Result, model: nn.Module) -> None:
    """Note what is in scope."""
    scope = select(model)
    result.network_weights = sum(p.numel() for p in model.parameters())
    result.scope_weights = sum(p.numel() for p in scope.values())
    result.in_scope, result.left_out = kinds_of(model, scope)


def check_lottery(runner: Runner, rounds: Sequence[Config]) -> None:
    """From the trained weights of round 0 to the first update of round 1."""
    model = runner.model
    check_scope(model, select(model))
    noise = Noise(max(p.numel() for p in model.parameters()))
    noise.fill(model)
    drawn = draw(runner, rounds[0])
    mask = bind(runner, rounds[1])
    check_mask(mask, drawn, model)
    for copy in [model, *ema_copies(runner)]:
        for name, param, start in start_weights(copy, noise, mask):
            _check(torch.equal(param, start), f'{name} does not start as drawn')
    check_update(runner, noise, mask)


def make_runner(model: nn.Module, cfg: Config, work_dir: AnyPath) -> Runner:
    """A Runner of the built model that has no data, with the config's EMA hooks."""
    runner = _Bare(model=model, work_dir=str(work_dir), log_level='ERROR',
                   default_scope=cfg.get('default_scope', 'mmengine'),
                   experiment_name=f'zoo_{id(model)}_{id(cfg)}')
    for hook in cfg.get('custom_hooks') or []:
        kind = class_of(cfg, hook)
        if kind is not None and issubclass(kind, EMAHook):
            runner.register_hook({**hook})     # it takes the priority out
    return runner


def draw(runner: Runner, cfg: Config) -> PruneHook:
    """Draw the ticket of round 1 from the weights as they are, and save it."""
    _, hook = needed_hook(cfg, PruneHook, rewind=None)
    hook.before_train(runner)
    hook.after_train(runner)
    return hook


def bind(runner: Runner, cfg: Config) -> Dict[str, Tensor]:
    """Load the ticket into a model of other weights and bind it; return its mask."""
    with torch.no_grad():
        for param in runner.model.parameters():
            param.fill_(1)
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            hook.before_run(runner)
    runner.optim_wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    hook = HOOKS.build(cfg.default_hooks.ticket)
    hook.before_run(runner)
    hook.before_train(runner)
    return hook.ticket.mask


def check_mask(mask: Dict[str, Tensor], hook: PruneHook, model: nn.Module) -> None:
    """The ticket's mask must be what the PruneHook was to draw."""
    in_scope, pruned, prune = masks.size(mask), masks.pruned(mask), hook.spec
    sparsity = prune.sparsity_of(hook.round + 1)
    _check(list(mask) == list(prune.scope.select(model)),
           'the ticket has other weights than the scope')
    _check(pruned == round(sparsity * in_scope),
           f'{pruned} of {in_scope} weights are pruned, not {sparsity:.0%}')
    _check(not masks.emptied(mask), f'nothing survives of {masks.emptied(mask)}')


def start_weights(model: nn.Module, noise: Noise, mask: Dict[str, Tensor]) -> Iterator[tuple]:
    """The name of each parameter, its value, and with what the ticket starts it."""
    for number, (name, param) in enumerate(model.named_parameters()):
        start = noise.like(param, number)
        yield name, param.detach(), start * mask[name] if name in mask else start


def check_update(runner: Runner, noise: Noise, mask: Dict[str, Tensor]) -> None:
    """One update with a gradient of 1 everywhere: pruned weights stay 0, others move."""
    wrapper, params = runner.optim_wrapper, dict(runner.model.named_parameters())
    trained = [p for p in params.values() if p.requires_grad]
    _check(bool(trained), 'no parameter is trained')
    for _ in range(wrapper._accumulative_counts):
        wrapper.update_params(sum(p.sum() for p in trained))
    for name, keep in mask.items():
        _check(not (params[name].ne(0) & ~keep).any(), f'pruned weights of {name} are not 0')
    # lr_mult=0 may hold some.
    moved = any(name in mask and not torch.equal(param, start)
                for name, param, start in start_weights(runner.model, noise, mask))
    _check(moved, 'the update moves no weight in scope')


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise CheckFailed(message)
