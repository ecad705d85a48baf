"""The start weights of a ticket, out of a training and into the next."""
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Set, Tuple

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmlth.core import Ticket, checkpoint_file
from mmlth.core import state as states
from mmlth.core.errors import UserError
from mmlth.core.mask import Mask
from mmlth.core.state import trained_weights

from .starts import Start

TRAINED, NEW = 'the trained weights', 'a new initialisation'    # what a ticket notes of its start


def find_start(model: nn.Module, start: Start, mask: Mask, point: Optional[Path],
               new: Mapping[str, Tuple[int, ...]]) -> Tuple[Dict[str, Tensor], Dict[str, Any], str]:
    """The start weights, what else a ticket's meta notes of the start, and where it is from.

    Noted are, if there are any: ``extra_state``, what modules keep beside tensors; and
    ``late_buffers``, the names of buffers that a new model lacks or has in another shape.

    Args:
        model: The bare model, trained.
        start: Makes the weights.
        mask: The ticket's.
        point: The rewind point's file; None if the start does not need it.
        new: The shapes of the buffers of a new model.

    Raises:
        UserError: The rewind point is of another model.
    """
    if start.initialises:
        return {}, {}, NEW
    trained, buffers = states.unique(model), states.buffer_shapes(model)
    rewound, saved, source = {}, model.state_dict(), TRAINED
    if point is not None:
        source, saved = str(point), trained_weights(checkpoint_file.load(point))
        rewound = {name: saved[name] for name in trained if name in saved}
        # Buffers may have been made, and have grown, since.
        expected = {name: rewound.get(name, tensor) if name in buffers else tensor
                    for name, tensor in trained.items()
                    if name not in buffers or name in rewound or name in new}
        states.check_same(expected, rewound, source)
    weights = start.weights(rewound, trained, mask)
    late = [name for name, tensor in weights.items()
            if name in buffers and new.get(name) != tuple(tensor.shape)]
    notes = dict(extra_state=states.extra_states(saved)[0], late_buffers=late)
    return weights, {key: value for key, value in notes.items() if value}, source


def load_start(model: nn.Module, averages: Sequence[nn.Module], teacher: Mapping[str, str],
               ticket: Ticket, source: str, rewound: bool, strict: bool) -> None:
    """Load what a ticket starts from into a new model and its averaged copies.

    Args:
        model: The bare model.
        averages: Its averaged copies.
        teacher: The names of averaged copies within it by those of the weights.
        ticket: Without start weights, the model starts as it is.
        source: Named in error messages.
        rewound: Model and copies are those of the rewind point.
        strict: The ticket must hold start weights for the whole model.

    Raises:
        UserError: The ticket is of another model.
    """
    for each in [model, *averages]:
        complete(each, ticket)
    if ticket.state:
        same = rewound_names(model, ticket) if rewound else set()
        others = {copy: ticket.state[name] for name, copy in teacher.items()
                  if rewound and name in ticket.state and name not in same}
        state = {**ticket.state, **others}
        for average in averages:
            own = states.unique(average)
            states.load(average, {**state, **{name: own[name].detach()
                                              for name in same - others.keys()}}, source, strict)
        states.load(model, state, source, strict)


def complete(model: nn.Module, ticket: Ticket) -> None:
    """Give a new model what its ticket has beside the weights it was built with."""
    late = set(ticket.meta.get('late_buffers') or ())
    states.fit_buffers(model, {n: t for n, t in ticket.state.items() if n in late})
    states.set_extra_states(model, ticket.meta.get('extra_state') or {})


def rewound_names(model: nn.Module, ticket: Ticket) -> Set[str]:
    """The start weights that are mask times those of the rewind point.

    Their averages go on from the average there; those of others start from these.

    Args:
        model: As of the rewind point.
        ticket: What is to be trained.
    """
    found = states.unique(model)

    def same(name: str, start: Tensor) -> bool:
        tensor = found[name].detach()
        if name in ticket.mask:
            tensor = tensor.masked_fill(~ticket.mask[name].to(tensor.device), 0)
        return torch.equal(tensor, start.to(tensor.device))

    return {name for name, start in ticket.state.items() if name in found and same(name, start)}


def base_rate(wrapper: OptimWrapper) -> Optional[float]:
    """The learning rate that no parameter group's factor has changed, which mmengine logs.

    None where there is one group alone.
    """
    base = wrapper.base_param_settings
    return None if base is None else base['lr']


def set_learning_rates(wrapper: OptimWrapper, meta: dict, source: str) -> None:
    """Give each parameter group the rate that the ticket's meta says, and the log the base's.

    An older version has noted no base's; that stays.
    """
    rates, groups = meta.get('learning_rates'), wrapper.optimizer.param_groups
    if not isinstance(rates, list) or len(rates) != len(groups):
        raise UserError(
            f'{source} has learning rates of {len(rates) if rates else 0} parameter groups, this '
            f'optimizer has {len(groups)}: keep the optim_wrapper of the dense training')
    for group, rate in zip(groups, rates):
        group['lr'] = group['initial_lr'] = rate
    if wrapper.base_param_settings is not None and meta.get('base_learning_rate') is not None:
        wrapper.base_param_settings['lr'] = meta['base_learning_rate']
