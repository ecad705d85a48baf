"""Thin mmengine adapters of :mod:`mmlth.core`: hooks, optim wrappers, the runner."""
from mmlth import compat

compat.apply()

from .chain.lottery_runner import LotteryRunner  # noqa: E402
from .hooks import (EarlyBirdHook, GradientHook, PruneHook, RandomStateHook,  # noqa: E402
                    RewindHook, SparseHook, TicketHook, UnsavedHook)
from .masked_optim_wrapper import MaskedAmpOptimWrapper, MaskedOptimWrapper  # noqa: E402

__all__ = ['EarlyBirdHook', 'GradientHook', 'LotteryRunner', 'MaskedAmpOptimWrapper',
           'MaskedOptimWrapper', 'PruneHook', 'RandomStateHook', 'RewindHook', 'SparseHook',
           'TicketHook', 'UnsavedHook']
