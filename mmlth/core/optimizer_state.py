"""What becomes of an optimizer's state when the mask of a parameter changes."""
from typing import Optional

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .errors import UserError


def move_state(optimizer: Optimizer, name: str, param: nn.Parameter, old: Tensor, new: Tensor,
               earlier: Tensor, keep: Tensor) -> None:
    """Hand a parameter's state over to the tensor that the optimizer holds from now on.

    What survives in both masks keeps its state, what is dropped loses it, what grows begins
    with :func:`initial_value`. Scalars are the whole parameter's and go on.

    Args:
        optimizer: The optimizer.
        name: The parameter's name, for messages.
        param: The parameter, in full shape.
        old: What the optimizer has held of it: ``param`` itself, or its survivors.
        new: What it holds from now on, likewise.
        earlier: The mask until now. State of the parameter's shape is that of all its weights.
        keep: The mask from now on.

    Raises:
        UserError: The state is neither scalar nor elementwise.
    """
    state = optimizer.state.pop(old, None)
    if state is None:
        return
    unchanged = torch.equal(earlier, keep.to(earlier.device))
    moved = {}
    for key, value in state.items():
        if isinstance(value, Tensor) and value.dim() and not (
                unchanged and value.shape == new.shape):
            whole = _whole(value, param, earlier, initial_value(optimizer, key))
            if whole is None:
                raise UserError(
                    f'{type(optimizer).__name__} keeps the state {key!r} of {name} in shape '
                    f'{tuple(value.shape)}, neither that of the parameter '
                    f'{tuple(param.shape)} nor one value per surviving weight '
                    f'({int(torch.count_nonzero(earlier))}); use an optimizer with elementwise '
                    "state, or RewindHook(schedule='restart')")
            value = whole if new is param else whole[keep.to(value.device)]
        moved[key] = value
    optimizer.state[new] = moved


def _whole(value: Tensor, param: nn.Parameter, keep: Tensor,
           initial: float) -> Optional[Tensor]:
    """The state in the parameter's shape and strides; None if it does not fit."""
    if value.shape == param.shape:
        return value
    if value.shape != (int(torch.count_nonzero(keep)),):
        return None
    whole = torch.full_like(param, initial, dtype=value.dtype, device=value.device,
                            requires_grad=False)
    whole[keep.to(value.device)] = value
    return whole


def initial_value(optimizer: Optimizer, key: str) -> float:
    """What a new weight's elementwise state begins with: 0, but for Adagrad's ``sum``."""
    if isinstance(optimizer, torch.optim.Adagrad) and key == 'sum':
        return optimizer.defaults['initial_accumulator_value']
    return 0.0


def check_growing(optimizer: Optimizer) -> None:
    """Raise a UserError for an optimizer whose state cannot begin within a training."""
    if isinstance(optimizer, torch.optim.Rprop):
        raise UserError(
            'Rprop keeps a step size for every weight, which begins with the learning rate of '
            'its first step: a weight that grows within a training has none. With masks that '
            'grow use SGD, AdamW or another optimizer whose state begins with 0')
