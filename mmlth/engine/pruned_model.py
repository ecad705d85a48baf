"""A model with the weights of a ticket, ready to be run."""
from pathlib import Path
from typing import Optional

import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from torch import nn

from mmlth.core import draw, select, transposed
from mmlth.core.errors import UserError

from .preview import build_model
from .rounds import evaluation_config


def pruned_model(cfg: Config, checkpoint: Optional[str], sparsity: float = 0.8,
                 allocation: str = 'global') -> nn.Module:
    """The config's model in eval mode on the CPU.

    Args:
        cfg: A detector's or pose model's.
        checkpoint: Of a ticket, a file or an address. None: the config's initial weights,
            pretrained ones included, are pruned instead, for a first look.
        sparsity: Without a checkpoint, the share of the weights that goes. Default: 0.8.
        allocation: Without a checkpoint, how it is spread. Default: ``'global'``.

    Raises:
        UserError: There is no such checkpoint.
    """
    if checkpoint and not Path(checkpoint).is_file() and '://' not in checkpoint:
        raise UserError(f'there is no checkpoint {checkpoint}')
    model = build_model(evaluation_config(cfg))
    if checkpoint:
        load_checkpoint(model, checkpoint, map_location='cpu')
    else:
        model.init_weights()
        _prune(model, sparsity, allocation)
    return model.cpu().eval()


def _prune(model: nn.Module, sparsity: float, allocation: str) -> None:
    """Draw a mask by magnitude over every convolution and linear layer, and apply it."""
    weights = select(model)
    mask = draw(weights, sparsity, allocation=allocation, transposed=transposed(model))
    with torch.no_grad():
        for name, weight in weights.items():
            weight.mul_(mask[name].view_as(weight))
