"""What a weight costs: the multiply-adds that it takes part in, counted in one forward pass."""
from typing import Any, Callable, Dict, Mapping, Optional

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from .probe import untouched
from .scope import norm_weights, prunable


def weight_costs(model: nn.Module, run: Callable[[], Any]) -> Dict[str, float]:
    """Multiply-adds of each entry of a weight, by parameter name.

    A convolution's is the number of its output positions (a transposed one's: input positions), a
    linear layer's the number of vectors it maps; both over all calls and regions. Counted are all
    :func:`~mmlth.core.scope.prunable` weights and the scales of norms.

    Args:
        model: The bare model; its modes and buffers are put back.
        run: Runs it in the mode of inference, on one image.

    Returns:
        dict[str, float]: 0 for a layer that the pass does not call.
    """
    weights = {**prunable(model), **norm_weights(model)}
    names = {id(param): name for name, param in weights.items()}
    costs, handles = dict.fromkeys(weights, 0.0), []

    def count(module, inputs, keywords, output):
        for param, uses in _uses(module, inputs, keywords, output):
            if id(param) in names:
                costs[names[id(param)]] += uses

    try:
        for module in model.modules():
            if isinstance(module, nn.MultiheadAttention) or any(
                    id(param) in names for param in module._parameters.values()):
                handles.append(_after(module, count))
        with untouched(model), torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return costs


def compute_sparsity(mask: Mapping[str, Tensor], costs: Mapping[str, float]) -> Optional[float]:
    """The fraction of the scope's multiply-adds that are with a pruned weight.

    Args:
        mask: Masks by parameter name.
        costs: Of :func:`weight_costs`; a name that is missing costs nothing.

    Returns:
        float: In [0, 1]; None if the scope has no multiply-adds.
    """
    total = sum(costs.get(name, 0) * keep.numel() for name, keep in mask.items())
    zeros = sum(costs.get(name, 0) * (keep.numel() - int(torch.count_nonzero(keep)))
                for name, keep in mask.items())
    return zeros / total if total else None


def _uses(module: nn.Module, inputs, keywords, output):
    """Each weight of a module with the number of vectors that it maps in this call."""
    if isinstance(module, nn.MultiheadAttention):
        yield from _uses_of_attention(module, inputs, keywords, output)
        return
    while isinstance(output, (tuple, list)) and output:
        output = output[0]
    tensor = inputs[0] if isinstance(module, _ConvTransposeNd) else output
    if isinstance(tensor, Tensor):
        for param in (p for p in module._parameters.values() if p is not None):
            # The scale of a norm over several dimensions has an entry for each place.
            channels = param.numel() if param.dim() == 1 else param.shape[0]
            yield param, tensor.numel() / max(1, channels)


def _uses_of_attention(module: nn.MultiheadAttention, inputs, keywords, output):
    """Its projections; the output's is a layer that is not called."""
    given = {**dict(zip(('query', 'key', 'value'), inputs)), **keywords}
    query = given.get('query', output[0])   # before torch 2.0 no keyword is seen
    queries, keys, values = (tensor.numel() / tensor.shape[-1] for tensor in (
        query, given.get('key', query), given.get('value', query)))
    yield module.out_proj.weight, queries
    if module.in_proj_weight is not None:   # a third of it each
        yield module.in_proj_weight, (queries + keys + values) / 3
    else:
        yield module.q_proj_weight, queries
        yield module.k_proj_weight, keys
        yield module.v_proj_weight, values


def _after(module: nn.Module, function: Callable):
    """A forward hook that sees keyword arguments, from torch 2.0 on."""
    try:
        return module.register_forward_hook(function, with_kwargs=True)
    except TypeError:
        return module.register_forward_hook(
            lambda module, inputs, output: function(module, inputs, {}, output))
