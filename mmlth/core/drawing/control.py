"""Controls: trainings that a ticket must beat before it may be called a winning one.

Each is as sparse as the ticket in every layer, but for the dense one, and is trained alike.

``fresh_weights``
    The ticket's mask with newly initialised weights (Frankle & Carbin 2019). If it does as
    well, the architecture that the mask leaves is worth it, not the weights rewound to.
``random_mask``
    The ticket's weights under a mask of random places, layer by layer (Frankle & Carbin
    2019; Frankle et al. 2021). If it does as well, only the sparsity of each layer matters.
``shuffled_mask``
    The ticket's weights under its own mask with the channels permuted (after Frankle et al.
    2021, who shuffle within layers). If it does as well, but ``random_mask`` worse,
    what matters is how many weights each filter and input keeps, not which.
``dense``
    No mask. If it does as well with the ticket's schedule, a gain over round 0 is due to
    the longer training and not to the pruning.
"""
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping

import torch
from torch import Tensor

from ..errors import UserError
from ..mask import Mask


@dataclass(frozen=True)
class Control:
    """One of them.

    Args:
        name: What settings, files and reports call it.
        label: What analyses call its trainings.
        mask: Takes the ticket's mask and a seed; gives the mask that the control trains under.
        fresh: It starts from a new initialisation, not from the ticket's weights. Default: False.
        every_round: It takes the place of every round's ticket, not of the last alone.
            Default: False.
        elsewhere: Weights that the rounds before have pruned may survive. Default: False.
    """
    name: str
    label: str
    mask: Callable[[Mapping[str, Tensor], int], Mask]
    fresh: bool = False
    every_round: bool = False
    elsewhere: bool = False


def find_control(name: Any) -> Control:
    """The control of that name.

    Raises:
        UserError: There is none.
    """
    if name not in CONTROLS:
        raise UserError(f'unknown control {name!r}, expected one of: {", ".join(CONTROLS)}')
    return CONTROLS[name]


def control_mask(mask: Mapping[str, Tensor], control: str, seed: int = 0) -> Mask:
    """The mask that a control trains under.

    Args:
        mask: The ticket's.
        control: The name of one of :data:`CONTROLS`.
        seed: Of the random places. Default: 0.

    Returns:
        Mask: ``mask`` unchanged for ``'fresh_weights'``, all True for ``'dense'``.

    Raises:
        UserError: There is no such control.
    """
    return find_control(control).mask(mask, seed)


def same_mask(mask: Mapping[str, Tensor], seed: int = 0) -> Mask:
    """The ticket's own."""
    return dict(mask)


def full_mask(mask: Mapping[str, Tensor], seed: int = 0) -> Mask:
    """Nothing is pruned."""
    return {name: torch.ones_like(keep) for name, keep in mask.items()}


def random_mask(mask: Mapping[str, Tensor], seed: int = 0) -> Mask:
    """In each layer as many survivors as in ``mask``, at uniformly random places.

    The result is the same on every device. N:M patterns are lost.
    """
    generator = _generator(seed)
    drawn = {}
    for name, keep in mask.items():
        places = torch.randperm(keep.numel(), generator=generator)
        flat = torch.zeros(keep.numel(), dtype=torch.bool)
        flat[places[:int(torch.count_nonzero(keep))]] = True
        drawn[name] = flat.view(keep.shape).to(keep.device)
    return drawn


def shuffled_mask(mask: Mapping[str, Tensor], seed: int = 0) -> Mask:
    """Each layer's mask with output and input channels permuted, independently.

    How the survivors are spread over filters and over inputs stays as it was; which filter
    and which input that are does not. 1-D masks have their entries permuted. The result is
    the same on every device. N:M patterns are lost.
    """
    generator = _generator(seed)
    drawn = {}
    for name, keep in mask.items():
        for dim in range(min(keep.dim(), 2)):
            order = torch.randperm(keep.shape[dim], generator=generator)
            keep = keep.index_select(dim, order.to(keep.device))
        drawn[name] = keep
    return drawn


def _generator(seed: int) -> torch.Generator:
    # On the CPU: every kind of device has random numbers of its own.
    return torch.Generator().manual_seed(seed)


CONTROLS: Dict[str, Control] = {control.name: control for control in (
    Control('fresh_weights', 'fresh weights', same_mask, fresh=True),
    Control('random_mask', 'random mask', random_mask, elsewhere=True),
    Control('shuffled_mask', 'shuffled mask', shuffled_mask, elsewhere=True),
    Control('dense', 'dense, trained on', full_mask, every_round=True))}
