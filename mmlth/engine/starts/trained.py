"""Tickets that go on from their trained weights."""
import copy
from pathlib import Path
from typing import TYPE_CHECKING, Mapping, Optional

from mmengine.config import Config
from torch import Tensor

from mmlth.core.errors import UserError
from mmlth.core.mask import Mask
from mmlth.core.steps import rewind_iteration
from mmlth.registry import STARTS

from .start import Start, State

if TYPE_CHECKING:
    from ..specs import RewindSpec


@STARTS.register_module('lr')
class Trained(Start):
    """The trained weights and the rewound schedule (Renda et al. 2020)."""
    words = 'its trained weights and the learning rates of'
    label = 'learning rate rewinding'
    rewinds = False

    def weights(self, point: Mapping[str, Tensor], trained: Mapping[str, Tensor],
                mask: Mask) -> State:
        """The trained ones."""
        return dict(trained)


@STARTS.register_module('finetune')
class Finetuned(Trained):
    """The trained weights, and the last learning rates for a while (Han et al. 2015).

    Args:
        length: How long: ``'2000it'``, ``'2ep'``, or ``'20%'`` of the dense training.
    """
    words = 'its trained weights and the last learning rates, not'
    label = 'fine-tuning'
    resumes = False
    goes_on = True
    length: str

    def __init__(self, length: Optional[str] = None):
        if length is None:
            raise UserError("RewindHook: fine-tuning needs a length such as '20%'")
        self.length = length

    def check(self, cfg: Config, rewind: 'RewindSpec') -> None:
        """The length must be one of this training."""
        shorten(copy.deepcopy(cfg), self.length)

    def adapt(self, cfg: Config, rewind: 'RewindSpec', point: Path) -> None:
        """No schedule, and the learning rates that the ticket notes."""
        super().adapt(cfg, rewind, point)
        cfg.default_hooks.ticket.last_learning_rate = True
        cfg.param_scheduler = []
        shorten(cfg, self.length)


def shorten(cfg: Config, length: str) -> None:
    """Let the training of ``cfg`` take ``length`` ('2000it', '2ep' or '20%' of what it is).

    Raises:
        UserError: The loop does not count in that unit, or the length is 0 or too long.
    """
    loop = cfg.train_cfg
    key, unit = ('max_epochs', 'ep') if loop.get('max_epochs') else ('max_iters', 'it')
    if not length.endswith((unit, '%')):
        raise UserError(
            f"RewindHook: length={length!r}, but this training is counted in {key}: give it as "
            f"'5{unit}' or as '20%'")
    # One "iteration" per epoch makes the same form count epochs.
    count = rewind_iteration(length, loop[key], 1)
    if count < 1:
        raise UserError(f'RewindHook: length={length!r} is nothing of {loop[key]} {key}')
    loop[key] = count
    if loop.get('val_interval'):
        loop.val_interval = min(loop.val_interval, count)
