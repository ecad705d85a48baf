"""One ticket: it loads, prunes what it says, and starts from where it says."""
from pathlib import Path
from typing import Mapping, Optional, Tuple

from torch import Tensor

from mmlth.core import CONTROLS, Ticket
from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.core.schedule import check_sparsity

from ..methods import noted_allocation
from .checkpoint import check_weights
from .drawn import check_drawn, noted_costs
from .start import check_start
from .violation import Violation


def check_ticket(path: Path, earlier: Optional[Ticket] = None) -> Tuple[str, Ticket]:
    """What was checked, and the ticket.

    Args:
        path: The ``.safetensors`` file.
        earlier: The ticket of the round before, whose pruned weights must be pruned.
            Default: None.
    """
    ticket = Ticket.load(path)
    if ticket.state:
        check_weights(f'{path}', ticket.state, ticket.mask)
    texts = [f'{masks.pruned(ticket.mask):,} of {masks.size(ticket.mask):,} weights in scope '
             'pruned', check_count(path, ticket)]
    if earlier is not None:
        texts.append(check_shrinks(path, ticket, earlier))
    texts += [check_drawn(path, ticket), check_start(path, ticket)]
    return ', '.join(texts), ticket


def check_count(path: Path, ticket: Ticket) -> str:
    """Exactly round(sparsity * n) weights are pruned, of all or each layer; or multiply-adds."""
    meta, mask = ticket.meta, ticket.mask
    sparsity, allocation = meta.get('sparsity'), meta.get('allocation')
    if sparsity is None:
        return 'it notes no sparsity'
    try:
        check_sparsity(sparsity)
    except UserError as error:
        raise Violation(f'{path}: {error}') from None
    method = noted_allocation(allocation)
    # Of a ticket drawn by hand (it notes the candidate) the sparsity is the outcome.
    if method is None or method.exact is None or method.exact != 'scope' and 'candidate' in meta:
        return f'count not compared (allocation {allocation})'
    floor = meta.get('floor', 0.0)
    if type(floor) not in (int, float) or not 0 <= floor <= 1:
        raise Violation(f'{path}: it notes a floor of {floor!r}')
    try:
        words = method.check_count(mask, sparsity, floor,
                                   noted_costs(path, ticket) if method.needs_macs else None)
    except UserError as error:
        raise Violation(f'{path}: {error}') from None
    return f'as sparsity {sparsity:.5g}{words} says' if method.needs_macs else (
        f'as sparsity {sparsity:.5g} says{words}')


def check_shrinks(path: Path, ticket: Ticket, earlier: Ticket) -> str:
    """What the round before has pruned stays pruned."""
    control = ticket.meta.get('control')
    known = CONTROLS.get(str(control))
    if known is not None and known.elsewhere:
        return f'not compared with the round before (control {control})'
    check_scope(path, ticket.mask, earlier.mask, 'the ticket of the round before')
    for name, keep in ticket.mask.items():
        back = int((keep & ~earlier.mask[name]).sum())
        if back:
            raise Violation(f'{path}: {back} weights of {name} survive that the round '
                            'before has pruned')
    return 'all that the round before pruned'


def check_scope(path: Path, mask: Mapping[str, Tensor], other: Mapping[str, Tensor],
                source: str) -> None:
    """Both have masks for the same parameters, in the same shapes."""
    for name in [*other, *mask]:
        shapes = [tuple(m[name].shape) if name in m else None for m in (mask, other)]
        if shapes[0] != shapes[1]:
            raise Violation(f'{path}: its mask of {name} has shape {shapes[0]}, that of '
                            f'{source} {shapes[1]}: they are of different scopes')
