"""Draw the mask that a training without a ticket's file begins with."""
from dataclasses import replace
from typing import Any, Dict, Union

from mmengine.runner import Runner

from mmlth.core import Ticket
from mmlth.core.errors import UserError

from ..specs import PruneSpec, drawing_settings
from ..training import Training
from .prune_hook import PruneHook

# The arguments of a PruneHook that say what is drawn, beside those that say how.
_DRAWN = ('sparsity', 'scope', 'frozen')


def drawing_of(draw: Dict[str, Any], update: Union[None, str, Dict[str, Any]]) -> PruneSpec:
    """What is drawn, and how, where no PruneHook is there to say so.

    Args:
        draw: Those arguments of a PruneHook.
        update: How the mask changes then; None if it is static.

    Raises:
        UserError: An argument is unknown or wrong, or is none of a drawing.
    """
    known = [*_DRAWN, *drawing_settings({})]
    unknown = [key for key in draw if key not in known]
    if unknown:
        raise UserError(f'TicketHook: draw takes {", ".join(known)}, got {", ".join(unknown)}')
    return PruneHook(**draw, update=update, at='end').spec


def draw_now(prune: PruneSpec, runner: Runner) -> Ticket:
    """The mask of the weights as they are; in its meta what a ticket notes of it."""
    training, source = Training.of(runner), prune.source(0)
    source.before(training)
    ticket = source.ticket(training)
    return replace(ticket, meta=source.meta(ticket))
