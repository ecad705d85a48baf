"""Thin mmengine adapters of :mod:`mmlth.core`: hooks, optim wrappers, the runner."""
from mmlth import compat

compat.apply()

from .hooks import (EarlyBirdHook, GradientHook, PruneHook, RandomStateHook,  # noqa: E402
                    RewindHook, TicketHook, UnsavedHook)
from .lottery_runner import LotteryRunner  # noqa: E402
from .masked_optim_wrapper import MaskedAmpOptimWrapper, MaskedOptimWrapper  # noqa: E402

__all__ = ['EarlyBirdHook', 'GradientHook', 'LotteryRunner', 'MaskedAmpOptimWrapper',
           'MaskedOptimWrapper', 'PruneHook', 'RandomStateHook', 'RewindHook', 'TicketHook',
           'UnsavedHook']
