"""What a layer computes with: its masked weight itself, or something made of it.

A weight that is standardised before it is used (``ConvWS2d``) has its zeros in the parameter
alone: less the filter's mean, pruned entries count again. Which layers do so is found out by
running each with an input of ones and looking at what it multiplies the input by.
"""
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode

from .mask import apply
from .probe import restored, untouched

_PRODUCTS = frozenset([
    'linear', 'conv1d', 'conv2d', 'conv3d', 'conv_transpose1d', 'conv_transpose2d',
    'conv_transpose3d', 'matmul', '__matmul__', 'mm', 'bmm', 'addmm', 'baddbmm', 'einsum'])


@dataclass(frozen=True)
class Used:
    """A masked weight whose zeros are not those of the kernel that is used.

    Args:
        kind: The layer's class.
        size: Number of weights.
        zeros: How many are 0 in the parameter.
        used: How many are 0 in the kernel that the layer computes with.
    """
    kind: str
    size: int
    zeros: int
    used: int


def refilled(model: nn.Module, mask: Mapping[str, Tensor]) -> Dict[str, Used]:
    """The masked weights that their layers fill again before they use them, by name.

    Layers that take more than one input (attention, deformable convolutions) cannot be run
    by themselves, and are left out, as are weights that are no kernel: those of norms. The model
    is left as it was.

    Args:
        model: The bare model.
        mask: Laid over the weights for the time being.
    """
    found = {}
    for name, module, weight in _owners(model, mask):
        with untouched(module), restored({name: weight}), torch.no_grad():
            apply({name: mask[name]}, {name: weight})
            kernel = used_kernel(module, weight)
            if kernel is None or kernel is weight:
                continue
            zeros, used = (t.numel() - int(torch.count_nonzero(t)) for t in (weight, kernel))
        if used < zeros:
            found[name] = Used(type(module).__name__, weight.numel(), zeros, used)
    return found


def used_kernel(module: nn.Module, weight: Tensor) -> Optional[Tensor]:
    """What ``module`` multiplies its input by, of the size of ``weight``.

    Where the product is hidden in an operator of another library, what is last made of the
    weight. None if it does not run on one tensor, or makes and multiplies nothing of that size.
    """
    inputs = torch.ones(_input_shape(module, weight), dtype=weight.dtype, device=weight.device)
    watch = _Watch(weight)
    try:
        with watch:
            module(inputs)
    except Exception:       # also _Seen: nothing after the product is of interest
        pass
    return watch.kernel if watch.kernel is not None or not watch.made else watch.made[-1]


def unmaskable(model: nn.Module) -> List[str]:
    """The weights that no mask reaches: recurrent ones, and those made of other parameters.

    The latter are weight norm, spectral norm, ``torch.nn.utils.parametrize`` and
    ``torch.nn.utils.prune``: the layer's weight is no parameter of it.
    """
    found = []
    for prefix, module in model.named_modules():
        # Older ones leave the result as a plain tensor beside `weight_g` or `weight_orig`.
        names = [name for name, value in vars(module).items()
                 if name.endswith('weight') and isinstance(value, Tensor)
                 and any(param.startswith(f'{name}_') for param in module._parameters)]
        names += [name for name in getattr(module, 'parametrizations', ())
                  if name.endswith('weight')]
        if isinstance(module, (_ConvNd, nn.Linear)) and 'weight' not in module._parameters:
            names.append('weight')
        if isinstance(module, nn.RNNBase):
            names += [name for name in module._parameters if name.startswith('weight')]
        found += [f'{prefix}.{name}'.lstrip('.') for name in dict.fromkeys(names)]
    return found


class _Seen(Exception):
    """The product is found."""


class _Watch(TorchFunctionMode):
    """Stops at the first product with an operand of the weight's size."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.weight = weight
        self.made: List[Tensor] = []        # of the weight, of its size
        self.kernel: Optional[Tensor] = None

    def __torch_function__(self, func: Callable, types: Sequence[type],
                           args: Sequence[Any] = (),
                           kwargs: Optional[Mapping[str, Any]] = None) -> Any:
        kwargs = kwargs or {}
        sized = [v for v in (*args, *kwargs.values())
                 if isinstance(v, Tensor) and v.numel() == self.weight.numel()]
        if sized and getattr(func, '__name__', '') in _PRODUCTS:
            self.kernel = sized[-1]
            raise _Seen
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and result.numel() == self.weight.numel() and any(
                v is known for v in sized for known in (self.weight, *self.made)):
            self.made.append(result)
        return result


def _owners(model: nn.Module, mask: Mapping[str, Tensor]
            ) -> Iterator[Tuple[str, nn.Module, nn.Parameter]]:
    names = {param: name for name, param in model.named_parameters() if name in mask}
    for module in model.modules():
        for param in module._parameters.values():
            if param is not None and param in names and param.dim() > 1:
                yield names[param], module, param


def _input_shape(module: nn.Module, weight: Tensor) -> Tuple[int, ...]:
    """Of an input that the layer takes, with as many channels as its weight has."""
    channels = getattr(module, 'in_channels', None) or getattr(module, 'in_features', None)
    if not isinstance(channels, int):
        groups = getattr(module, 'groups', 1)
        channels = weight.shape[1] * (groups if isinstance(groups, int) else 1)
    dilation = getattr(module, 'dilation', 1)
    widest = max(dilation) if isinstance(dilation, tuple) else dilation
    shape = (channels, *(2 * widest * k + 1 for k in weight.shape[2:]))
    # One operand must not be taken for the other.
    batch = 2 if torch.Size(shape).numel() == weight.numel() else 1
    return (batch, *shape)
