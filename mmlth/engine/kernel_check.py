"""Warn of layers whose kernel a mask does not reach, before the training."""
from logging import Logger
from typing import Dict, List, Mapping

import torch
from torch import Tensor, nn

from mmlth.core.kernels import Used, refilled, unmaskable
from mmlth.core.random_state import kept_random_state


def warn_of_refilled(logger: Logger, model: nn.Module, mask: Mapping[str, Tensor]) -> None:
    """Name the layers that bring pruned weights back before they use them.

    Args:
        logger: The runner's.
        model: The bare model.
        mask: Of the ticket, or one to try: :func:`trial_mask`.
    """
    with kept_random_state():
        found = refilled(model, mask)
    if found:
        zeros, used = (sum(getattr(u, key) for u in found.values()) / sum(
            u.size for u in found.values()) for key in ('zeros', 'used'))
        logger.warning(
            f'{len(found)} layer(s) make their kernel of the weight before they use it, as weight '
            f'standardisation does, and pruned weights count again: with {zeros:.0%} zeros in the '
            f'parameters, {used:.0%} of the kernels that are used is zero. Their sparsity is that '
            'of the parameters alone; to leave them dense, exclude them from the scope: '
            f'{_listed(found)}')


def warn_of_unmaskable(logger: Logger, model: nn.Module) -> None:
    """Name the weights that stay dense because no parameter is what the layer uses."""
    names = unmaskable(model)
    if names:
        logger.warning(
            f'{len(names)} weight(s) are in no scope and stay dense, because they are recurrent or '
            'made of other parameters (weight norm, spectral norm, torch.nn.utils.parametrize or '
            f'prune): {", ".join(names)}')


def trial_mask(weights: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Every fifth weight survives."""
    return {name: (torch.arange(weight.numel(), device=weight.device) % 5 == 0).view(weight.shape)
            for name, weight in weights.items()}


def _listed(found: Mapping[str, Used]) -> str:
    kinds: Dict[str, List[str]] = {}
    for name, used in found.items():
        kinds.setdefault(used.kind, []).append(name)
    return '; '.join(f'{kind}: {", ".join(names)}' for kind, names in kinds.items())
