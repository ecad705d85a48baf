"""The least squared magnitude lost for a given amount of compute."""
from dataclasses import replace
from fractions import Fraction
from typing import Dict, Mapping

import torch
from torch import Tensor

from ..errors import UserError
from .budget import prune_within
from .floor import floor_counts, protect
from .score import Scores
from .selection import keep_highest


def prune_compute(scores: Scores, sparsity: float, floor: float = 0.0) -> Dict[str, Tensor]:
    """Prune ``sparsity`` of the multiply-adds, not of the weights, the cheapest loss first.

    See :func:`prune_by_compute`. The scores need their costs.
    """
    check_compute_room(scores.tensors, sparsity, floor, scores.costs())
    return prune_by_compute(protect(scores, floor) if floor else scores, sparsity)


def prune_by_compute(scores: Scores, sparsity: float) -> Dict[str, Tensor]:
    """Prune as many multiply-adds as ``sparsity`` says of all, by ``|w| / sqrt(cost)``.

    The cost of a weight is the number of multiply-adds that it takes part in. Under one
    threshold for ``w^2 / cost`` no other choice of as many multiply-adds loses less of the sum of
    squares. The lowest go as long as their multiply-adds are at most ``sparsity`` of the scope's:
    the next one would exceed it. Where all weights cost the same this is global pruning, to the
    weight.

    Args:
        scores: Magnitudes with their costs. ``-inf`` and ``inf`` stay what they are.
        sparsity: Fraction of the multiply-adds.
    """
    costs = exact_costs(scores.tensors, scores.costs())
    if len(set(costs.values())) <= 1:
        return keep_highest(scores, round(sparsity * scores.numel()))
    scaled = {}
    for name, tensor in scores.tensors.items():
        own = tensor.detach().float()
        own = own.abs() if scores.absolute else own
        scaled[name] = own * float(costs[name]) ** -0.5
    return prune_within(replace(scores, tensors=scaled, absolute=False, copied=True), costs,
                        budget_of(scores.tensors, costs, sparsity))


def check_compute_room(tensors: Mapping[str, Tensor], sparsity: float, floor: float,
                       costs: Mapping[str, float]) -> None:
    """Raise a UserError if the floors of all layers are more multiply-adds than may survive.

    Args:
        tensors: Weights or scores in scope, by parameter name.
        sparsity: Of their multiply-adds.
        floor: Fraction of each layer's weights that is to survive.
        costs: Multiply-adds of one weight of each layer.
    """
    counts, exact = floor_counts(tensors, floor), exact_costs(tensors, costs)
    kept = sum(exact[name] * count for name, count in counts.items())
    survive = budget_of(tensors, exact, 1.0) - budget_of(tensors, exact, sparsity)
    if kept > survive:
        raise UserError(
            f'a floor of {floor} keeps {float(kept):,.0f} multiply-adds of {len(counts)} '
            f'layers, but only {float(survive):,.0f} may survive; lower the floor')


def exact_costs(tensors: Mapping[str, Tensor],
                costs: Mapping[str, float]) -> Dict[str, Fraction]:
    """The cost of one entry of each tensor: 1 of one that is left out or hardly called."""
    return {name: max(Fraction(1), Fraction(costs.get(name, 1))) for name in tensors}


def budget_of(tensors: Mapping[str, Tensor], costs: Mapping[str, Fraction],
              sparsity: float) -> Fraction:
    """The multiply-adds that may go at most."""
    return Fraction(sparsity) * sum(costs[n] * t.numel() for n, t in tensors.items())


def check_budget(mask: Mapping[str, Tensor], sparsity: float,
                 costs: Mapping[str, float]) -> None:
    """Raise a UserError unless the mask prunes as much as :func:`prune_by_compute` would.

    That is at most ``sparsity`` of the multiply-adds, and less by less than those of one weight.
    """
    exact = exact_costs(mask, costs)
    wanted, total = budget_of(mask, exact, sparsity), budget_of(mask, exact, 1.0)
    gone = sum(exact[n] * (keep.numel() - int(torch.count_nonzero(keep)))
               for n, keep in mask.items())
    if len(set(exact.values())) <= 1:       # whole weights, rounded
        step = next(iter(exact.values()), Fraction(1))
        fits = gone == step * round(sparsity * float(total / step))
    else:
        step = max((exact[n] for n, keep in mask.items() if keep.any()), default=Fraction(1))
        fits = 0 <= wanted - gone < step
    if not fits:
        raise UserError(
            f'sparsity {sparsity} of {float(total):,.0f} multiply-adds is {float(wanted):,.0f}, '
            f'but {float(gone):,.0f} are pruned')
