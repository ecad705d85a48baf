"""Floating-point operations of a network, layer by layer."""
from collections import defaultdict
from typing import Any, Callable, Dict, Mapping, Optional

import torch
from torch import nn

from .scope import prunable

try:
    from torch.utils.flop_counter import FlopCounterMode
except ImportError:         # before PyTorch 2.1
    FlopCounterMode = None


def count_flops(model: nn.Module, forward: Callable[[], Any]) -> Optional[Dict[str, Any]]:
    """Count with ``torch.utils.flop_counter``: convolutions, matrix products, attention.

    A multiplication and an addition are two operations. Not counted: biases, norms,
    activations, pooling, resizing, NMS, RoI pooling and custom CUDA operators such as
    deformable convolution.

    Args:
        model: The bare model.
        forward: Calls it.

    Returns:
        dict: ``total``, and ``layers``: parameter name -> operations that its weight
        takes part in. What no single weight accounts for, attention for one, is in the
        total alone. None before PyTorch 2.1, which has no counter.
    """
    if FlopCounterMode is None:
        return None
    layers: Dict[str, int] = defaultdict(int)
    counter, hooks = FlopCounterMode(display=False), []
    for name, module in _layers(model).items():
        enter, leave = _watch(counter, layers, name)
        hooks += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        with counter, torch.no_grad():
            forward()
    finally:
        for hook in hooks:
            hook.remove()
    return dict(total=counter.get_total_flops(), layers=dict(layers))


def sparse_flops(flops: Mapping[str, Any], sparsity: Mapping[str, float]) -> float:
    """What is left if every multiplication with a pruned weight is left out.

    Args:
        flops: Of :func:`count_flops`.
        sparsity: Parameter name -> fraction of its weights that are pruned.
    """
    return flops['total'] - sum(count * sparsity.get(name, 0.0)
                                for name, count in flops['layers'].items())


def _watch(counter: 'FlopCounterMode', layers: Dict[str, int], name: str):
    """Hooks that add to ``layers[name]`` what is counted during the call of a layer."""
    def enter(module, inputs):
        layers[name] -= counter.get_total_flops()

    def leave(module, inputs, output):
        layers[name] += counter.get_total_flops()
    return enter, leave


def _layers(model: nn.Module) -> Dict[str, nn.Module]:
    """The layers that have one prunable weight and nothing below them."""
    modules, found = dict(model.named_modules()), {}
    for name in prunable(model):
        owner, _, leaf = name.rpartition('.')
        module = modules[owner]
        if leaf == 'weight' and not list(module.children()):
            found[name] = module
    return found
