"""How masks change within a training: schedules, and what is dropped and grown."""
import math
from typing import Dict, Mapping, Optional

import numpy as np
import torch
from torch import Tensor

from .drawing.score import Scores
from .drawing.selection import keep_highest
from .mask import Mask


def cubic_sparsity(final: float, progress: float) -> float:
    """The sparsity of gradual pruning: 0 at first, soon steep, flat at last.

    Zhu & Gupta 2017, "To prune, or not to prune", equation 1, from dense weights on.

    Args:
        final: The sparsity at last.
        progress: How much of the pruning is over, from 0 to 1.
    """
    return final if progress >= 1 else final * (1 - (1 - progress) ** 3)


def cosine_fraction(fraction: float, progress: float) -> float:
    """Which fraction of the weights moves: falls from ``fraction`` to 0 as half a cosine.

    Evci et al. 2020, "Rigging the Lottery", section 3 (after Dettmers & Zettlemoyer 2019).

    Args:
        fraction: At first.
        progress: How much of the training with updates is over, from 0 to 1.
    """
    return 0.0 if progress >= 1 else fraction / 2 * (1 + math.cos(math.pi * progress))


def drop_and_grow(mask: Mapping[str, Tensor], weights: Mapping[str, Tensor],
                  growth: Mapping[str, Optional[Tensor]], fraction: float) -> Mask:
    """Move the same number of weights in every layer: drop the smallest, grow others.

    A layer of n surviving weights drops ``round(fraction * n)``, those of the lowest magnitude,
    and grows as many of those that are pruned then: what it has just dropped may grow again, as
    in google-research/rigl. Among equals the first is dropped first, the last grown first.

    Args:
        mask: The masks by parameter name.
        weights: The weights, in full shape.
        growth: What each weight is worth to be grown: those of the largest magnitude are. None:
            the layer keeps its mask.
        fraction: Of the surviving weights, from 0 to 1.
    """
    return {name: keep if (worth := growth.get(name)) is None
            else _move(keep, weights[name], worth, fraction)
            for name, keep in mask.items()}


def _move(keep: Tensor, weight: Tensor, growth: Tensor, fraction: float) -> Tensor:
    keep = keep.to(weight.device)
    survivors = int(torch.count_nonzero(keep))
    count = round(fraction * survivors)
    if not count:
        return keep
    sizes = Scores({'': weight}, absolute=True).below({'': keep})
    left = keep_highest(sizes, keep.numel() - survivors + count)['']
    worth = Scores({'': growth.to(weight.device)}, absolute=True).below({'': ~left})
    return left | keep_highest(worth, keep.numel() - count)['']


def random_growth(mask: Mapping[str, Tensor], seed: int, iteration: int) -> Dict[str, Tensor]:
    """A random number for every weight (Mocanu et al. 2018), the same on every device and rank.

    They come from a generator of their own, of seed and iteration: no other random number
    of the training moves, and a resumed training draws the same.
    """
    state = np.random.SeedSequence([seed, iteration]).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(state[0]))
    return {name: torch.rand(keep.shape, generator=generator) for name, keep in mask.items()}
