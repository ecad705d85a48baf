"""A model with the weights of a ticket, ready to be run."""
from contextlib import contextmanager
from typing import Any, Iterator, Optional

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModel

from mmlth.core import Drawing, layers_of, select
from mmlth.core.errors import UserError
from mmlth.core.scope import norm_weights

from .afresh import remove_pretrained
from .costs import count_costs
from .evaluation import evaluation_config
from .loading import load_weights
from .methods import allocation_of
from .model import build_model, check_model


def pruned_model(cfg: Config, checkpoint: Optional[str], sparsity: float = 0.8,
                 allocation: str = 'global', pretrained: bool = True,
                 batch: Any = None) -> BaseModel:
    """The config's model in eval mode on the CPU.

    Args:
        cfg: A detector's or pose model's.
        checkpoint: Of a trained ticket, a file or an address; of one with an EMAHook's average,
            that is taken. None: the config's initial weights are pruned instead, for a first look.
        sparsity: Without a checkpoint, the share of the weights that goes. Default: 0.8.
        allocation: Without a checkpoint, how it is spread. Default: ``'global'``.
        pretrained: Without a checkpoint, whether the pretrained weights that the config names
            are loaded, from the network if need be. Default: True.
        batch: What multiply-adds are counted on, for an allocation that asks for them.
            Default: None.

    Raises:
        UserError: There is no such checkpoint, it is not of this model, or the pretrained weights
            cannot be read.
    """
    check_model(cfg)
    cfg = evaluation_config(cfg)
    if not checkpoint and not pretrained:
        remove_pretrained(cfg.model)
    model = build_model(cfg)
    if checkpoint:
        load_weights(checkpoint, model, evaluated=True)
    else:
        try:
            with _silent():
                model.init_weights()
        except OSError as error:
            raise UserError(
                f'the pretrained weights that the config names cannot be read ({error}): give a '
                'checkpoint, or leave them out, e.g. --cfg-options model.backbone.init_cfg=None'
            ) from error
        _prune(model, sparsity, allocation, batch)
    return model.cpu().eval()


@contextmanager
def _silent() -> Iterator[None]:
    """Within, MMEngine does not list how each parameter was initialised."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    try:
        yield
    finally:
        logger.setLevel(level)


def _prune(model: BaseModel, sparsity: float, allocation: str, batch: Any) -> None:
    """Draw a mask by magnitude over every convolution and linear layer, and apply it.

    Batch norms that start at 0, as the last one of a residual block does, get 1: folded,
    they would leave nothing of the convolution before them.
    """
    weights = select(model)
    drawing = Drawing(allocation=allocation_of(allocation))
    costs = count_costs(model, batch) if drawing.allocation.needs_macs else None
    mask = drawing.draw(weights, sparsity, layers=layers_of(model, costs))
    with torch.no_grad():
        for name, weight in weights.items():
            weight.mul_(mask[name].view_as(weight))
        for weight in norm_weights(model).values():
            weight[weight == 0] = 1
