"""What the averaged copies of the model that EMA hooks keep start from with a ticket."""
from typing import Dict

import torch
from torch import Tensor, nn

from mmlth.core import Ticket
from mmlth.core import state as states


def rewound_average(average: nn.Module, model: nn.Module,
                    ticket: Ticket) -> Dict[str, Tensor]:
    """What the average of a ticket goes on from: {name: tensor}, one per start weight.

    Args:
        average: As of the rewind point.
        model: As of the rewind point.
        ticket: What is to be trained; its start weights may be others.
    """
    found, averaged = states.unique(model), states.unique(average)

    def same(name: str, start: Tensor) -> bool:
        tensor = found[name].detach()
        if name in ticket.mask:
            tensor = tensor.masked_fill(~ticket.mask[name].to(tensor.device), 0)
        return torch.equal(tensor, start.to(tensor.device))

    return {name: averaged[name].detach() if name in found and same(name, start) else start
            for name, start in ticket.state.items()}
