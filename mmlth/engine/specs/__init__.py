"""What hooks are set to: parsed once, by the hook itself, and asked ever after."""
from .early_bird import EarlyBirdSpec
from .prune import PruneSpec
from .rewind import RewindSpec

__all__ = ['EarlyBirdSpec', 'PruneSpec', 'RewindSpec']
