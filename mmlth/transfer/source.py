"""Read what is transferred: a ticket, or a checkpoint that is pruned, or is pruned here."""
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from mmlth.core import Ticket
from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.core.rewind import trained_weights


@dataclass
class Source:
    """Weights and masks by the source's names, and where the masks come from, in words."""
    weights: Dict[str, Tensor]
    mask: Dict[str, Tensor]
    origin: str


def read_source(path, sparsity: Optional[float] = None) -> Source:
    """Read a ticket, or a checkpoint of torchvision, timm, mmpretrain or MMDetection.

    The masks of a checkpoint are those that mmlth has put into it; else they are inferred
    from exact zeros in its weights of two dimensions or more, if they are one in 1000 of a
    layer at least, which :attr:`Source.origin` says; or with ``sparsity`` its convolutions and
    linear layers, but the classifier (``fc``, ``head``), are pruned here by global magnitude.

    Args:
        path: ``.safetensors`` or a PyTorch file.
        sparsity: Fraction to prune here, in [0, 1). Default: None.

    Raises:
        UserError: The file is missing or unreadable, or there is nothing to make a mask of.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'there is no ticket or checkpoint {path}')
    if is_ticket(path):
        ticket = Ticket.load(path)
        return Source(ticket.state, ticket.mask, 'the ticket')
    weights, saved = _read_checkpoint(path)
    if sparsity is not None:
        prunable = {n: w for n, w in weights.items() if _is_prunable(n, w)}
        return Source(weights, masks.draw(prunable, sparsity),
                      f'pruned here to {sparsity:.0%} by global magnitude')
    if saved:
        return Source(weights, saved, "the checkpoint's masks")
    mask = {n: w != 0 for n, w in weights.items() if w.dim() >= 2 and _is_pruned(w)}
    if not mask:
        raise UserError(
            f'{path} has neither masks nor zeros: it is a dense checkpoint. Say how much of it to '
            'prune (--sparsity), or take a ticket.')
    return Source(weights, mask, 'inferred from the zeros of the weights')


def is_ticket(path) -> bool:
    """Whether the file is one of ours, whole or not."""
    try:
        with safetensors.safe_open(str(path), 'pt') as file:
            return (file.metadata() or {}).get('format') == 'mmlth.ticket'
    except (safetensors.SafetensorError, OSError):
        return False


def _read_checkpoint(path: Path):
    try:
        if path.suffix == '.safetensors':
            loaded = load_file(str(path))
        else:
            loaded = torch.load(path, map_location='cpu', weights_only=True)
        state = trained_weights(loaded if 'state_dict' in loaded else dict(state_dict=loaded))
        weights = {name: tensor for name, tensor in state.items() if torch.is_tensor(tensor)}
        saved = loaded.get('mmlth', {}).get('masks', {}) if 'state_dict' in loaded else {}
        mask = {n: masks.unpack(entry['bits'], entry['shape']) for n, entry in saved.items()}
    except Exception as error:      # torch.load has no error of its own
        raise UserError(f'{path} cannot be read as a checkpoint: {str(error)[:300]}') from None
    if not weights:
        raise UserError(f'{path} holds no tensors: expected a state dict, or a checkpoint with one')
    return weights, mask


def _is_pruned(weight: Tensor) -> bool:
    # A zero among a million random weights is chance.
    return int((weight == 0).sum()) >= max(1, weight.numel() / 1000)


def _is_prunable(name: str, weight: Tensor) -> bool:
    classifier = name.removeprefix('module.').split('.')[0] in ('fc', 'head', 'classifier')
    return name.endswith('weight') and weight.dim() >= 2 and not classifier
