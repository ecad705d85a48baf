"""Read what is transferred: a ticket, or a checkpoint that is pruned, or is to be pruned."""
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional

import safetensors
from torch import Tensor

from mmlth.core import Ticket, checkpoint_file
from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath
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


LEAST = 0.1     # of a layer's weights are scattered zeros, or the checkpoint is no ticket


def read_source(path: AnyPath, sparsity: Optional[float] = None, zeros: bool = False) -> Source:
    """Read a ticket, or a checkpoint of torchvision, timm, mmpretrain or MMDetection.

    The masks of a checkpoint are those that it holds (:func:`~mmlth.transfer.formats.unpack`);
    else they are inferred from exact zeros in its weights of two dimensions or more (not in tables
    and buffers: attention masks are full of zeros), if they are one in 1000 of a layer at least;
    :attr:`Source.origin` says so. A dense training leaves zeros too: whole filters that died, and
    what they fed. So a checkpoint is only taken for a ticket if some layer has :data:`LEAST` of
    its weights pruned one by one. With ``sparsity`` it counts as dense, and
    :func:`~mmlth.transfer.transfer` prunes it.

    Args:
        path: ``.safetensors`` or a PyTorch file.
        sparsity: Fraction to prune it to, in [0, 1). Default: None.
        zeros: Its zeros are a mask, however few they are, whole filters too. Default: False.

    Raises:
        UserError: The file is missing or unreadable, or there is nothing to make a mask of.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'there is no ticket or checkpoint {path} to transfer')
    if sparsity is not None:
        check_sparsity(sparsity)
        if zeros:
            raise UserError('zeros says that the source is pruned already, sparsity how much to '
                            'prune it: leave one of them out')
    kind = _format(path)
    if kind == 'mmlth.model':
        raise UserError(f'{path} is a packed model, which is there to be run: transfer the ticket '
                        'or the checkpoint that it was packed of')
    if kind == Ticket.FORMAT:
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
    layers = {n: w for n, w in weights.items() if _is_layer(n, w)}
    mask = {n: w != 0 for n, w in layers.items() if _is_pruned(w)}
    if not mask:
        raise UserError(
            f'{path} has neither masks nor zeros: it is a dense checkpoint. Say how much of it to '
            'prune (sparsity=0.8; on the command line --sparsity 0.8), or take a ticket.')
    if not zeros and not any(scattered(weights[n]) >= LEAST for n in mask):
        raise UserError(_no_ticket(path, layers, mask))
    return Source(weights, mask, 'inferred from the zeros of the weights')


def _format(path: AnyPath) -> Optional[str]:
    """What a safetensors file of ours says it is; None of any other file."""
    try:
        with safetensors.safe_open(str(path), 'pt') as file:
            return (file.metadata() or {}).get('format')
    except (safetensors.SafetensorError, OSError):
        return None


def _read_checkpoint(path: Path) -> Content:
    try:
        return unpack(checkpoint_file.load(path), path)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f'{path} cannot be read as a checkpoint: {str(error)[:300]}') from None


def _is_layer(name: str, tensor: Tensor) -> bool:
    """As modules name them: ``weight``, ``in_proj_weight``, ``weight_ih_l0``."""
    return tensor.is_floating_point() and tensor.dim() >= 2 and 'weight' in name.rpartition('.')[2]


def _is_pruned(weight: Tensor) -> bool:
    # A zero among a million random weights is chance.
    return int((weight == 0).sum()) >= max(1, weight.numel() / 1000)


def scattered(weight: Tensor) -> float:
    """Zeros outside of filters and input channels that are all zero: a fraction of the rest."""
    used = weight != 0
    outputs, inputs = (used.movedim(dim, 0).flatten(1).any(1) for dim in range(2))
    used = used[outputs][:, inputs]
    return 1 - float(used.float().mean()) if used.numel() else 0.0


def _no_ticket(path: Path, layers: Dict[str, Tensor], mask: Dict[str, Tensor]) -> str:
    dead = {n: int((~keep.flatten(1).any(1)).sum()) for n, keep in mask.items()}
    first = max(mask, key=lambda n: dead[n])
    gone = sum(int((~keep).sum()) for keep in mask.values())
    total = sum(w.numel() for w in layers.values())
    return (f'{path} has no masks, and its zeros look like those of a dense training: {gone} of '
            f'{total} weights ({gone / total:.2%}), {sum(dead.values())} whole filters among them '
            f'(most in {first}, {dead[first]} of {len(mask[first])}), and in no layer {LEAST:.0%} '
            'of single weights. To prune it, say how much (sparsity=0.8; on the command line '
            '--sparsity 0.8); if these zeros are a mask, say zeros=True (--zeros).')
