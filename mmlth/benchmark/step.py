"""The update of a ticket against the update of the dense model."""
import copy
from statistics import median
from typing import Callable, Dict, List, Mapping, Optional, Tuple

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmlth.core import draw, select
from mmlth.core.updates import drop_and_grow
from mmlth.engine.masked_optim_wrapper import MaskedOptimWrapper

from .memory import bench_memory, fill_gradients
from .models import detector
from .table import row
from .timing import interleaved, ratio

GOAL = 0.7      # of the dense step: a ticket trains cheaper than the dense model
NO_MORE = 1.05  # of the step under a static mask, for one that changes at times
MOVED = 0.3     # of a layer's weights, in an update
OPTIMIZERS = {
    'SGD': lambda params: torch.optim.SGD(params, lr=0.02, momentum=0.9, weight_decay=1e-4),
    'AdamW': lambda params: torch.optim.AdamW(params, lr=1e-4, weight_decay=0.05),
}
CLIPS = {'': None, ', clipped': dict(max_norm=35, norm_type=2)}


def bench_step(sparsity: float, repeats: int, quick: bool = False,
               device: str = 'cpu') -> List[dict]:
    """Rows for both optimizers: seconds and state bytes, with and without clipping; memory."""
    model = detector(quick).to(device)
    mask = draw(select(model), sparsity)
    rows = []
    for name, make in OPTIMIZERS.items():
        for clip_name, clip in CLIPS.items():
            rows += _compare(f'{name}{clip_name}', model, mask, make, clip, repeats, device)
        rows += _compare_moving(name, model, mask, make, repeats, device)
    return rows + bench_memory(model, OPTIMIZERS, device)


def _compare(name: str, model: nn.Module, mask: Mapping[str, Tensor], make: Callable,
             clip: Optional[dict], repeats: int, device: str) -> List[dict]:
    dense, masked, boolean = (_wrapper(kind, model, make, clip)
                              for kind in (OptimWrapper, MaskedOptimWrapper, OptimWrapper))
    masked[1].bind(dict(masked[0].named_parameters()), mask)
    steps = dict(dense=_again(dense[0], dense[1].step), masked=_again(masked[0], masked[1].step),
                 boolean=_again(boolean[0], _boolean_step(*boolean, mask)))
    interleaved(steps, 2, device)       # the first step allocates the optimizer's state
    times = interleaved(steps, repeats, device)
    state = {kind: _state_bytes(wrapper.optimizer)
             for kind, (_, wrapper) in dict(dense=dense, masked=masked).items()}
    seconds = {kind: median(t) for kind, t in times.items()}
    return [
        row('step', f'{name}: masked / dense', seconds['masked'], seconds['dense'], 's',
            ratio(times['masked'], times['dense']), at_most=GOAL),
        row('step', f'{name}: boolean masks / dense', seconds['boolean'], seconds['dense'],
            's', ratio(times['boolean'], times['dense'])),
        row('step', f'{name}: optimizer state, masked / dense', state['masked'],
            state['dense'], 'B', state['masked'] / state['dense']),
    ]


def _compare_moving(name: str, model: nn.Module, mask: Mapping[str, Tensor], make: Callable,
                    repeats: int, device: str) -> List[dict]:
    """A mask that changes (RigL) against a static one: between its updates, and one itself."""
    static, moving = (_wrapper(MaskedOptimWrapper, model, make, None) for _ in range(2))
    for net, wrapper in (static, moving):
        wrapper.bind(dict(net.named_parameters()), mask)
    moving[1].before_step = lambda: False
    update = _again(moving[0], _update(*moving))
    steps = dict(static=_again(static[0], static[1].step), moving=_again(moving[0], moving[1].step))
    interleaved(steps, 2, device)
    times: Dict[str, List[float]] = dict(static=[], moving=[], update=[])
    for _ in range(repeats):    # each step under a mask that was just changed
        for kind, found in interleaved(dict(update=update, **steps), 1, device).items():
            times[kind] += found
    seconds = {kind: median(t) for kind, t in times.items()}
    return [
        row('step', f'{name}: mask that changes / static, between updates', seconds['moving'],
            seconds['static'], 's', ratio(times['moving'], times['static']), at_most=NO_MORE),
        row('step', f'{name}: update of the mask / static step', seconds['update'],
            seconds['static'], 's', ratio(times['update'], times['static']))]


def _update(model: nn.Module, wrapper: MaskedOptimWrapper) -> Callable:
    """RigL's, with random gradients."""
    params = {name: param.detach() for name, param in model.named_parameters()}

    def update() -> None:
        gradients, mask = wrapper.bound.gradients(), wrapper.bound.mask
        wrapper.rebind(drop_and_grow(mask, params, gradients, MOVED))
    return update


def _wrapper(kind: type, model: nn.Module, make: Callable, clip: Optional[dict]
             ) -> Tuple[nn.Module, OptimWrapper]:
    """A copy of the model with random gradients, and its optim wrapper."""
    model = copy.deepcopy(model)
    fill_gradients(model)
    return model, kind(make(model.parameters()), clip_grad=clip)


def _again(model: nn.Module, step: Callable) -> Callable:
    """A step that finds the same gradients each time: a ticket's gives them up."""
    gradients = [(param, param.grad) for param in model.parameters()]

    def call() -> None:
        for param, gradient in gradients:
            param.grad = gradient
        step()
    return call


def _boolean_step(model: nn.Module, wrapper: OptimWrapper,
                  mask: Mapping[str, Tensor]) -> Callable:
    """The usual way: fill gradients before the dense step and weights after it."""
    params: Dict[str, nn.Parameter] = dict(model.named_parameters())
    pairs = [(params[name], ~keep) for name, keep in mask.items()]

    def step() -> None:
        for param, gone in pairs:
            if param.grad is not None:
                param.grad.masked_fill_(gone, 0)
        wrapper.step()
        with torch.no_grad():
            for param, gone in pairs:
                param.masked_fill_(gone, 0)
    return step


def _state_bytes(optimizer: torch.optim.Optimizer) -> int:
    return sum(value.numel() * value.element_size() for state in optimizer.state.values()
               for value in state.values() if isinstance(value, Tensor))
