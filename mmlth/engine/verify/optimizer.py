"""The optimizer's state in a checkpoint: as large as what survives."""
from pathlib import Path
from typing import Any, Mapping

from torch import Tensor

from .violation import Violation


def check_optimizer(checkpoint: Mapping[str, Any], mask: Mapping[str, Tensor],
                    path: Path) -> str:
    """Every state of a masked parameter, scalars excepted, has one value per survivor.

    Where nothing is pruned it may have the parameter's shape.

    Returns:
        str: What was checked; empty if the checkpoint has no optimizer.
    """
    if 'optimizer' not in checkpoint:
        return ''
    names = checkpoint['mmlth'].get('optimizer')
    if names is None:
        return 'optimizer not checked (an older mmlth did not note its parameters\' names)'
    try:
        groups, state = (checkpoint['optimizer'][key] for key in ('param_groups', 'state'))
        count = sum(len(group['params']) for group in groups)
        states = [(names[index], key, value) for index, values in state.items()
                  for key, value in values.items()]
    except (KeyError, TypeError, AttributeError, IndexError):
        raise Violation(f'{path}: the optimizer\'s state is malformed, or has more '
                        'parameters than mmlth.optimizer has names') from None
    if not isinstance(names, list) or len(names) != count:
        raise Violation(f'{path}: mmlth.optimizer names {len(names)} parameters, the '
                        f'optimizer has {count}')
    for name, key, value in states:
        if not isinstance(name, str) or name not in mask:
            continue
        if isinstance(value, Tensor) and value.dim():
            survivors = int(mask[name].sum())
            whole = survivors == mask[name].numel() and value.shape == mask[name].shape
            if not whole and value.shape != (survivors,):
                raise Violation(
                    f'{path}: the optimizer keeps {key} of {name} in shape '
                    f'{tuple(value.shape)}, but {survivors} of {mask[name].numel()} weights '
                    'survive')
    return 'optimizer holds the survivors only'
