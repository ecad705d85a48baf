"""A PruneHook with other defaults."""
from mmengine.registry import HOOKS

from mmlth.engine import PruneHook


@HOOKS.register_module()
class HalfHook(PruneHook):
    """Half of all weights, in two rounds."""

    def __init__(self, sparsity=0.5, rounds=2, **kwargs):
        super().__init__(sparsity=sparsity, rounds=rounds, **kwargs)
