"""Read what is transferred: a ticket, or a checkpoint that is pruned, or is to be pruned."""
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional

import safetensors
from torch import Tensor

from mmlth.core import Ticket, checkpoint_file
from mmlth.core.errors import UserError
from mmlth.core.schedule import check_sparsity

from .formats import Content, unpack


@dataclass
class Source:
    """What is transferred, by the source's names.

    Args:
        weights: Its parameters and buffers; empty for a ticket that is only a mask.
        mask: Its masks; empty if it is pruned on the way.
        origin: Where the masks come from, in words.
        sparsity: Fraction to prune on the way, of what finds a place. Default: None.
    """
    weights: Dict[str, Tensor]
    mask: Dict[str, Tensor]
    origin: str
    sparsity: Optional[float] = None


def read_source(path, sparsity: Optional[float] = None) -> Source:
    """Read a ticket, or a checkpoint of torchvision, timm, mmpretrain or MMDetection.

    The masks of a checkpoint are those that it holds (:func:`~mmlth.transfer.formats.unpack`);
    else they are inferred from exact zeros in its weights of two dimensions or more, if they are
    one in 1000 of a layer at least, which :attr:`Source.origin` says. With ``sparsity`` it counts
    as dense, and :func:`~mmlth.transfer.transfer` prunes it.

    Args:
        path: ``.safetensors`` or a PyTorch file.
        sparsity: Fraction to prune it to, in [0, 1). Default: None.

    Raises:
        UserError: The file is missing or unreadable, or there is nothing to make a mask of.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'there is no ticket or checkpoint {path} to transfer')
    if sparsity is not None:
        check_sparsity(sparsity)
    if is_ticket(path):
        if sparsity is not None:
            raise UserError(f'{path} is a ticket, which has masks already: leave sparsity out')
        ticket = Ticket.load(path)
        return Source(ticket.state, ticket.mask, 'the ticket')
    weights, saved, origin, _ = _read_checkpoint(path)
    if sparsity is not None:
        if not weights:
            raise UserError(f'{path} is only a mask, nothing to prune: leave sparsity out')
        return Source(weights, {}, f'pruned here to {sparsity:.0%} by global magnitude', sparsity)
    if saved:
        return Source(weights, saved, origin)
    mask = {n: w != 0 for n, w in weights.items() if w.dim() >= 2 and _is_pruned(w)}
    if not mask:
        raise UserError(
            f'{path} has neither masks nor zeros: it is a dense checkpoint. Say how much of it to '
            'prune (sparsity=0.8; on the command line --sparsity 0.8), or take a ticket.')
    return Source(weights, mask, 'inferred from the zeros of the weights')


def is_ticket(path) -> bool:
    """Whether the file is one of ours, whole or not."""
    try:
        with safetensors.safe_open(str(path), 'pt') as file:
            return (file.metadata() or {}).get('format') == 'mmlth.ticket'
    except (safetensors.SafetensorError, OSError):
        return False


def _read_checkpoint(path: Path) -> Content:
    try:
        return unpack(checkpoint_file.load(path), path)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f'{path} cannot be read as a checkpoint: {str(error)[:300]}') from None


def _is_pruned(weight: Tensor) -> bool:
    # A zero among a million random weights is chance.
    return int((weight == 0).sum()) >= max(1, weight.numel() / 1000)
