"""Refuse optimizers that cannot train a ticket, before any training begins."""
import copy
import inspect
import logging
from typing import List

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn
from torch.optim import Optimizer

from mmlth.core.elementwise import Build, check_elementwise, check_grown
from mmlth.core.random_state import kept_random_state


def check_configured(cfg: Config, moved: bool, grows: bool = False) -> None:
    """Try the config's optimizer, with its own arguments, on toy weights.

    Args:
        cfg: The config, whose ``optim_wrapper`` has one optimizer.
        moved: The ticket takes over the optimizer's state from the dense training.
        grows: Weights grow within the training. Default: False.

    Raises:
        UserError: A ticket cannot be trained with it.
    """
    optimizer = cfg.optim_wrapper.optimizer
    kind = optimizer.get('type')

    def build(params: List[nn.Parameter]) -> Optimizer:
        # mmengine's own way: some optimizers call their first argument otherwise.
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
            return build_optim_wrapper(
                nn.ParameterList(params), dict(optimizer=copy.deepcopy(optimizer))).optimizer

    _check(getattr(kind, '__name__', str(kind)), build, moved, grows)


def check_built(optimizer: Optimizer, grows: bool = False) -> None:
    """Try an optimizer of the same class and defaults on toy weights.

    Args:
        optimizer: The optimizer.
        grows: Weights grow within the training. Default: False.

    Raises:
        UserError: A ticket cannot be trained with it.
    """
    kind = type(optimizer)
    # Some keep counters among their defaults.
    known = inspect.signature(kind).parameters
    options = {key: value for key, value in optimizer.defaults.items() if key in known}
    _check(kind.__name__, lambda params: kind(params, **options), False, grows)


def _check(name: str, build: Build, moved: bool, grows: bool) -> None:
    with kept_random_state():
        problem = check_elementwise(name, build)
        if moved and not problem:
            check_elementwise(name, build, dense_steps=2)
        if grows and not problem:
            check_grown(name, build)
    if problem:
        print_log(f'The optimizer {name} could not be tried on toy weights ({problem}). Make sure '
                  'that it updates each weight by itself: a ticket hands it the surviving '
                  'weights of each layer as one vector.', 'current', logging.WARNING)
