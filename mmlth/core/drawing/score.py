"""What scores are: one number per weight."""
import math
from dataclasses import dataclass, field, replace
from typing import FrozenSet, Iterator, Mapping

import torch
from torch import Tensor

from ..errors import UserError
from .arrays import Array, chunks


@dataclass(frozen=True)
class Scores:
    """One number per weight; the lowest are pruned.

    Args:
        tensors: Scores by parameter name, each in the parameter's shape; fp32, fp16 or
            bf16 (others are compared as fp32). ``-inf`` marks what is pruned already.
        absolute: Compare ``|x|``: magnitude pruning then needs no copy of the weights.
        copied: The tensors are nobody else's and may be changed in place.
        transposed: Names of weights of transposed convolutions: their first dimension is
            that of the input channels.
        costs: Multiply-adds of one entry of each tensor, by name; 1 of those left out.
    """
    tensors: Mapping[str, Tensor]
    absolute: bool = False
    copied: bool = False
    transposed: FrozenSet[str] = frozenset()
    costs: Mapping[str, float] = field(default_factory=dict)

    def numel(self) -> int:
        """How many scores there are."""
        return sum(t.numel() for t in self.tensors.values())

    def chunks(self, tensor: Tensor) -> Iterator[Array]:
        """The scores of one tensor, flat, in pieces."""
        for piece in chunks(tensor):
            yield abs(piece) if self.absolute else piece

    def below(self, mask: Mapping[str, Tensor]) -> 'Scores':
        """These scores with ``-inf`` wherever ``mask`` has pruned already."""
        lowered = {}
        for name, tensor in self.tensors.items():
            own = tensor.detach().abs() if self.absolute else tensor.detach().clone()
            lowered[name] = own.masked_fill_(~mask[name], -torch.inf)
        return replace(self, tensors=lowered, absolute=False, copied=True)


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise a UserError that names the first parameter with a NaN or infinity."""
    scores = Scores(tensors, absolute=True)
    for name, tensor in tensors.items():
        # NaN passes through a maximum. A float64 may overflow only in the scores.
        if all(math.isfinite(chunk.max()) for chunk in scores.chunks(tensor)):
            continue
        bad = int((~torch.isfinite(tensor.detach())).sum())
        if bad:
            raise UserError(
                f'{name} has {bad} non-finite weights (NaN or infinity) of '
                f'{tensor.numel()}: the training diverged. Lower the learning rate '
                'or clip gradients, and draw the ticket from finite weights.')
