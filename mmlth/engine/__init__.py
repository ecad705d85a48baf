"""Thin mmengine adapters of :mod:`mmlth.core`: hooks, optim wrappers, the runner."""
from mmlth import compat

compat.apply()

from .hooks import (EarlyBirdHook, PruneHook, RandomStateHook, RewindHook,  # noqa: E402
                    SparseHook, TicketHook)
from .lottery_runner import LotteryRunner  # noqa: E402
from .masked_optim_wrapper import MaskedAmpOptimWrapper, MaskedOptimWrapper  # noqa: E402

__all__ = ['EarlyBirdHook', 'LotteryRunner', 'MaskedAmpOptimWrapper',
           'MaskedOptimWrapper', 'PruneHook', 'RandomStateHook', 'RewindHook', 'SparseHook',
           'TicketHook']
