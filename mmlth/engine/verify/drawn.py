"""A ticket's mask, drawn once more of the weights that its training has ended with."""
from pathlib import Path
from typing import Dict

from torch import Tensor

from mmlth.core import Drawing, Ticket
from mmlth.core.errors import UserError
from mmlth.core.layers import Layer

from ..methods import noted_allocation, noted_score
from .checkpoint import load_checkpoint, read_masks
from .sources import last_checkpoint, trained_of
from .violation import Violation

# What masks note that were drawn of other weights: early ones, those of a training whose mask has
# moved since, those of a model that was given.
_ELSEWHERE = {'candidate', 'update', 'dense'}


def check_drawn(path: Path, ticket: Ticket) -> str:
    """The same mask comes out again, where it was drawn of the trained weights alone.

    Not where batches, chance or the kind of a layer had a part in it, nor where the mask came
    from elsewhere.

    Returns:
        str: What was compared, or why not.
    """
    meta = ticket.meta
    score, allocation = noted_score(meta.get('score')), noted_allocation(meta.get('allocation'))
    if (score is None or not score.magnitudes or allocation is None or allocation.exact is None
            or allocation.fixed is not None or meta.get('at') != 'end'
            or meta.get('control') is not None or _ELSEWHERE & set(meta)):
        return 'mask not drawn again (it is not of the trained weights alone)'
    source = last_checkpoint(path, ticket)
    if source is None:
        return 'mask not drawn again (the trained weights are not here)'
    drawing = Drawing(score, allocation, meta.get('floor', 0.0))
    found = _draw_again(path, ticket, source, drawing)
    other = sum(int((found[name] != keep).sum()) for name, keep in ticket.mask.items())
    if other:
        raise Violation(f'{path} was not drawn of {source}: of its weights, {other:,} entries of '
                        'the mask are other ones')
    return f'mask drawn again of {source.parent.name}/{source.name}'


def noted_costs(path: Path, ticket: Ticket) -> Dict[str, float]:
    """The multiply-adds of one entry of each weight that a ticket was drawn by."""
    costs = ticket.meta.get('costs')
    if not isinstance(costs, dict) or set(costs) != set(ticket.mask) or not all(
            type(cost) in (int, float) and 0 <= cost < float('inf') for cost in costs.values()):
        raise Violation(f'{path}: it was drawn by multiply-adds, but does not note them, in '
                        'costs, for the weights of its masks')
    return costs


def _draw_again(path: Path, ticket: Ticket, source: Path, drawing: Drawing) -> Dict[str, Tensor]:
    checkpoint = load_checkpoint(source)
    trained, before = trained_of(checkpoint, source), read_masks(checkpoint, source)
    for name, keep in ticket.mask.items():
        if name not in trained or trained[name].shape != keep.shape:
            raise Violation(f'{path}: {source} has no {name} of its shape')
    costs = noted_costs(path, ticket) if drawing.allocation.needs_macs else {}
    try:
        return drawing.draw(
            {name: trained[name] for name in ticket.mask}, ticket.meta['sparsity'],
            earlier={name: before[name] for name in ticket.mask if name in before},
            layers={name: Layer(macs=cost) for name, cost in costs.items()})
    except UserError as error:
        raise Violation(f'{path}: its mask cannot be drawn again: {error}') from None
