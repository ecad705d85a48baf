"""A ticket's start weights: mask times the weights it was rewound to, or transferred."""
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import torch
from torch import Tensor

from mmlth.core import Ticket

from ..start_weights import TRAINED
from ..starts import noted_start
from .given import given_start
from .sources import last_checkpoint, origin, read_trained, rewind_point
from .transferred import check_transferred
from .violation import Violation


def check_start(path: Path, ticket: Ticket) -> str:
    """Compare the start weights with their source, if it is still there.

    Returns:
        str: What was compared, or why not.
    """
    text, carried = check_transferred(path, ticket, origin(path))
    if carried is None:
        return f'start weights not compared ({text})'
    if not ticket.state:
        return f'no start weights to compare{text}'
    start, weights = str(ticket.meta.get('start')), None
    if start.endswith('.pth'):
        source = rewind_point(path, start)
    elif start == TRAINED:
        source, weights = given_start(ticket)
        source = source or last_checkpoint(path, ticket)
    else:
        return f'start weights of {start} not compared{text}'
    if source is None:
        return f'start weights not compared (their source, {start}, is not here){text}'
    weights, mode = weights or read_trained(source), ticket.meta.get('mode')
    if mode is not None:
        made = made_of(path, ticket, mode, weights)
        if made is None:
            return f'start weights not compared (how {mode} makes them is not known here){text}'
        carried = {**made, **carried}
    compare_start(path, ticket, weights, source, carried)
    how = '' if mode is None else f', as {mode["type"]!r} makes them'
    return f'start weights are mask x {source.parent.name}/{source.name}{how}{text}'


def made_of(path: Path, ticket: Ticket, mode: Any,
            source: Mapping[str, Tensor]) -> Optional[Dict[str, Tensor]]:
    """What a start makes of the weights that it has; None if that cannot be told.

    Args:
        path: The ticket's file.
        ticket: The ticket.
        mode: How its start was made: what it notes.
        source: The rewind point's weights, or the trained ones.
    """
    start = noted_start(mode) if isinstance(mode, dict) else None
    if start is None:
        return None
    trained = source
    if start.rewinds:
        last = last_checkpoint(path, ticket)
        trained = read_trained(last) if last else {}
    # A tensor that the model has under several names is in the ticket once.
    point, trained = ({name: weights[name] for name in ticket.state if name in weights}
                      for weights in (source if start.rewinds else {}, trained))
    try:
        return start.weights(point, trained, ticket.mask)
    except KeyError:    # it needs trained weights, which are gone
        return None


def compare_start(path: Path, ticket: Ticket, weights: Mapping[str, Tensor],
                  source: Path, carried: Mapping[str, Tensor]) -> None:
    """Every tensor of the ticket is the source's, and none of the source's is missing.

    ``carried`` has what was transferred, or made by a start, in place of the source's.
    """
    for name, tensor in ticket.state.items():
        expected = carried.get(name, weights.get(name))
        if expected is None or expected.shape != tensor.shape:
            raise Violation(
                f'{path}: {name} has shape {tuple(tensor.shape)}, in {source} it '
                + ('is missing' if expected is None else f'has {tuple(expected.shape)}'))
        if name in ticket.mask:
            expected = expected.masked_fill(~ticket.mask[name], 0)
        changed = int((tensor != expected).sum())
        if changed:
            raise Violation(f'{path}: {changed} of {tensor.numel()} start weights of {name} '
                            f'are not mask x {source}')
    for name, tensor in weights.items():
        # A tensor that the model has under several names is in the ticket once.
        if name not in ticket.state and not any(
                torch.equal(tensor, weights[other]) for other in ticket.state
                if weights[other].shape == tensor.shape):
            raise Violation(f'{path}: its start weights lack {name}, which {source} has')
