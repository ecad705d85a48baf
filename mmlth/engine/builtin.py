"""Registers the scores and allocations that there are."""
from mmlth.core.drawing import allocations, scores
from mmlth.registry import ALLOCATIONS, SCORES

for _score in scores.SCORES.values():
    SCORES.register_module(name=_score.name, module=_score)
for _allocation in allocations.ALLOCATIONS.values():
    ALLOCATIONS.register_module(name=_allocation.name, module=_allocation)
