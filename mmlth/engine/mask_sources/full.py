"""The mask that prunes nothing: where a mask update begins with all weights."""
from typing import Any, Dict

import torch

from mmlth.core import Ticket

from ..training import Training
from .drawn import Drawn


class Full(Drawn):
    """All weights that a PruneHook would draw from.

    It is the same at any time. What may be said, found and warned of before is as for a mask
    that is drawn: one is, within the training that follows.
    """
    at_start = True

    def ticket(self, training: Training) -> Ticket:
        """Nothing is pruned."""
        weights = self.prune.scope.select(training.model)
        return Ticket({name: torch.ones_like(weight, dtype=torch.bool)
                       for name, weight in weights.items()})

    def meta(self, ticket: Ticket) -> Dict[str, Any]:
        """The settings that masks are drawn with later, but the sparsity that it has."""
        return dict(super().meta(ticket), sparsity=0.0)
