"""A PruneHook with other defaults."""
from typing import Any

from mmengine.registry import HOOKS

from mmlth.engine import PruneHook


@HOOKS.register_module()
class GentlePruneHook(PruneHook):
    """Prunes half of each layer, if nothing else is said."""

    def __init__(self, sparsity: float = 0.5, allocation: str = 'layerwise', **settings: Any):
        super().__init__(sparsity=sparsity, allocation=allocation, **settings)
