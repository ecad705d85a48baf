"""Points of a training: '600it', '2ep', '5%'."""
import re
from typing import Union

from .errors import UserError

_FORM = re.compile(r'(\d+(?:\.\d+)?)(it|ep|%)')


def rewind_iteration(to: Union[str, int], max_iters: int, iters_per_epoch: int,
                     what: str = 'rewind to') -> int:
    """The iteration after which the rewind point is taken; 0 is before the first one.

    Args:
        to: ``'600it'`` (or 600), ``'2ep'``, or ``'5%'`` of the training.
        max_iters: Iterations of the whole training.
        iters_per_epoch: Iterations of one pass over the data, of all ranks together.
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
