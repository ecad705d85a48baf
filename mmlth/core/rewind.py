"""The rewind point: when it is taken, and the weights a checkpoint holds."""
import copy
import re
from typing import Dict, Mapping, Union

from torch import Tensor

from .errors import UserError

_FORM = re.compile(r'(\d+(?:\.\d+)?)(it|ep|%)')


def rewind_iteration(to: Union[str, int], max_iters: int, iters_per_epoch: int,
                     what: str = 'rewind to') -> int:
    """The iteration after which the rewind point is taken; 0 is before the first one.

    Args:
        to: ``'600it'`` (or 600), ``'2ep'``, or ``'5%'`` of the training.
        max_iters: Iterations of the whole training.
        iters_per_epoch: Batches in one pass over the data.
        what: The setting's name in messages. Default: ``'rewind to'``.

    Raises:
        UserError: ``to`` has no such form, or lies after the end of training.
    """
    match = _FORM.fullmatch(f'{to}it' if isinstance(to, int) else str(to).strip())
    if not match:
        raise UserError(
            f"{what}: expected '600it', '2ep' or '5%', got {to!r}")
    number, unit = float(match[1]), match[2]
    if unit != '%' and number != int(number):
        raise UserError(f'{what}: {to!r} is not a whole number of iterations or epochs')
    factor = {'it': 1, 'ep': iters_per_epoch, '%': max_iters / 100}[unit]
    iteration = round(number * factor)
    if iteration > max_iters:
        raise UserError(
            f'{what}: {to!r} is iteration {iteration}, but the training ends after '
            f'{max_iters}; choose an earlier point')
    return iteration


def trained_weights(checkpoint: Mapping) -> Dict[str, Tensor]:
    """The weights that were trained, from an mmengine checkpoint.

    With an EMAHook, ``state_dict`` holds the average and ``ema_state_dict`` the weights
    themselves (the hook swaps them before saving).
    """
    state = copy.copy(checkpoint['state_dict'])     # with its modules' versions
    for name, tensor in checkpoint.get('ema_state_dict', {}).items():
        if name.startswith('module.'):
            state[name[len('module.'):]] = tensor
    return state


def late_schedulers(checkpoint: Mapping) -> int:
    """How many schedulers of an mmengine checkpoint lack a step that its place in training has.

    Earlier versions of mmlth saved a point at the end of an epoch before by-epoch schedulers
    had stepped.
    """
    meta = checkpoint['meta']
    return sum(scheduler['_global_step'] < meta['epoch' if scheduler['by_epoch'] else 'iter']
               for scheduler in checkpoint.get('param_schedulers') or [])
