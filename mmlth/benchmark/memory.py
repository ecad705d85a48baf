"""Bytes that a training step of a ticket and of the dense model take, all counted."""
import copy
import gc
from typing import Callable, List, Mapping, Optional, Tuple

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.autograd.profiler import profile

from mmlth.core import draw, select
from mmlth.core.mask import size
from mmlth.engine.masked_optim_wrapper import MaskedOptimWrapper

from .table import row

SPARSITIES = (0.5, 0.8, 0.9)


def bench_memory(model: nn.Module, optimizers: Mapping[str, Callable],
                 device: str = 'cpu') -> List[dict]:
    """Rows for each optimizer and sparsity: bytes per weight in scope, before and in a step.

    Before: parameters, gradients, the optimizer's state, and what a ticket needs besides.
    In the step: its peak, with all that is allocated for a moment.
    """
    weights = size(draw(select(model), 0.0))
    rows = []
    for name, make in optimizers.items():
        dense = measure(model, make, None, device)
        for sparsity in SPARSITIES:
            ticket = measure(model, make, draw(select(model), sparsity), device)
            for when, ours, reference in zip(('before', 'peak in'), ticket, dense):
                rows.append(row(
                    'step', f'{name}: memory {when} a step, {sparsity:.0%} pruned / dense',
                    ours / weights, reference / weights, 'B/weight', ours / reference,
                    at_most=1))
    return rows


def measure(model: nn.Module, make: Callable, mask: Optional[Mapping[str, Tensor]],
            device: str = 'cpu') -> Tuple[int, int]:
    """Bytes before the second step and at the peak within it; ``mask`` None is dense."""
    model = copy.deepcopy(model)
    wrapper = (OptimWrapper if mask is None else MaskedOptimWrapper)(make(model.parameters()))

    def begin() -> None:
        if mask is not None:
            wrapper.bind(dict(model.named_parameters()), mask)
        fill_gradients(model)
        wrapper.step()
        wrapper.zero_grad()
        fill_gradients(model)
    gc.collect()    # what older models have left is not freed while it is counted
    parameters = sum(p.numel() * p.element_size() for p in model.parameters())
    held, _ = _allocated(begin, device)
    _, peak = _allocated(wrapper.step, device)
    return parameters + held, parameters + held + peak


def fill_gradients(model: nn.Module) -> None:
    """Random gradients, as a backward pass leaves them."""
    for param in model.parameters():
        if param.requires_grad:
            param.grad = torch.randn_like(param).mul_(1e-3)


def _allocated(function: Callable, device: str) -> Tuple[int, int]:
    """Bytes that are allocated after the call beyond those before it, and at its peak."""
    if device.startswith('cuda'):
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        return (torch.cuda.memory_allocated(device) - before,
                torch.cuda.max_memory_allocated(device) - before)
    with profile(profile_memory=True) as profiled:
        function()
    level = peak = 0
    # In the order of time; what is freed counts negative.
    for event in profiled.kineto_results.events():
        if event.name() == '[memory]':
            level += event.nbytes()
            peak = max(peak, level)
    return level, peak
