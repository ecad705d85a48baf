"""The hooks that put the lottery into an ordinary training."""
from .early_bird_hook import EarlyBirdHook
from .prune_hook import PruneHook
from .random_state_hook import RandomStateHook
from .rewind_hook import RewindHook
from .sparse_hook import SparseHook
from .ticket_hook import TicketHook

__all__ = ['EarlyBirdHook', 'PruneHook', 'RandomStateHook', 'RewindHook', 'SparseHook',
           'TicketHook']
