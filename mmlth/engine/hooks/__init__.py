"""The hooks that put the lottery into an ordinary training."""
from .early_bird_hook import EarlyBirdHook
from .gradient_hook import GradientHook
from .prune_hook import PruneHook
from .random_state_hook import RandomStateHook
from .rewind_hook import RewindHook
from .ticket_hook import TicketHook
from .unsaved_hook import UnsavedHook

__all__ = ['EarlyBirdHook', 'GradientHook', 'PruneHook', 'RandomStateHook', 'RewindHook',
           'TicketHook', 'UnsavedHook']
