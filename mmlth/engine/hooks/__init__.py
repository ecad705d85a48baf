"""The hooks that put the lottery into an ordinary training."""
from .prune_hook import PruneHook
from .rewind_hook import RewindHook
from .ticket_hook import TicketHook

__all__ = ['PruneHook', 'RewindHook', 'TicketHook']
