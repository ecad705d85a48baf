"""Between two networks: the state dicts on the straight line from one to the other."""
from typing import Any, Dict, Mapping

import torch
from torch import Tensor

from .errors import UserError


def interpolate(a: Mapping[str, Any], b: Mapping[str, Any], alpha: float,
                source: str = 'the other end') -> Dict[str, Any]:
    """``(1 - alpha) * a + alpha * b``, entry by entry (Frankle et al. 2020, section 2).

    Both ends are met exactly, and what is 0 in both stays 0: pruned weights are those that both
    masks prune. Whole numbers, such as batch norm's count of batches, and what is no tensor are
    those of ``a``.

    Args:
        a, b: State dicts with the same names and shapes; of batch norm's running statistics the
            line has the mean too, which is not what they are there.
        alpha: In [0, 1].
        source: What ``b`` is called in a message. Default: ``'the other end'``.

    Raises:
        UserError: Names or shapes differ.
    """
    alone = sorted({name for name in {**a, **b} if name not in a or name not in b})
    shapes = [f'{name} has shape {tuple(a[name].shape)} and {tuple(b[name].shape)}' for name in a
              if name in b and torch.is_tensor(a[name]) and a[name].shape != b[name].shape]
    if alone or shapes:
        problem = f'only one has {alone[0]}' if alone else shapes[0]
        raise UserError(
            f'there is no line to {source}: {problem}, and {len(alone) + len(shapes) - 1} more '
            'differ. Both ends must be of one model.')
    return {name: _between(tensor, b[name], alpha) for name, tensor in a.items()}


def _between(a: Any, b: Any, alpha: float) -> Any:
    if not torch.is_tensor(a) or not a.is_floating_point():
        return a
    mixed: Tensor = a.double().lerp(b.to(a.device).double(), alpha)
    return mixed.to(a.dtype)
