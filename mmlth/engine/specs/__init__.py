"""What hooks are set to: parsed once, by the hook itself, and asked ever after."""
from .early_bird import EarlyBirdSpec
from .prune import PruneSpec, drawing_settings
from .rewind import RewindSpec

__all__ = ['EarlyBirdSpec', 'PruneSpec', 'RewindSpec', 'drawing_settings']
