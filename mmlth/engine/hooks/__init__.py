"""The hooks that put the lottery into an ordinary training."""
from .early_bird_hook import EarlyBirdHook
from .prune_hook import PruneHook
from .rewind_hook import RewindHook
from .ticket_hook import TicketHook

__all__ = ['EarlyBirdHook', 'PruneHook', 'RewindHook', 'TicketHook']
