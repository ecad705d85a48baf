"""The signs of the rewind point's weights alone (Zhou et al. 2019, "Deconstructing Lottery Tickets:
Zeros, Signs, and the Supermask", section 5).
"""
from typing import Mapping

import torch
from torch import Tensor

from mmlth.core.mask import Mask
from mmlth.registry import STARTS

from .start import Start, State


@STARTS.register_module('signs')
class Signs(Start):
    """A masked weight is its sign at the rewind point times its layer's standard deviation there.

    All else is that of the rewind point: biases, norms and what is not in scope. If such tickets
    train as well as rewound ones, the signs of their weights are what they need, not the values.
    """
    words = 'the signs, times the standard deviation of each layer, of the weights of'
    label = 'signs alone'

    def weights(self, point: Mapping[str, Tensor], trained: Mapping[str, Tensor],
                mask: Mask) -> State:
        """Of the whole layer, pruned weights included; a weight that is 0 stays 0."""
        return {name: torch.sign(tensor) * scale(tensor) if name in mask else tensor
                for name, tensor in point.items()}


def scale(tensor: Tensor) -> Tensor:
    """The standard deviation of a tensor's entries; of equal ones, a single one too, their size."""
    values = tensor.float()
    deviation = values.std(unbiased=False)
    return torch.where(deviation > 0, deviation, values.abs().mean()).to(tensor.dtype)
