"""What controls start from that are no tickets: the schedule is still the ticket's."""
from pathlib import Path
from typing import TYPE_CHECKING, Mapping, Optional, Type

from mmengine.config import Config
from torch import Tensor

from mmlth.core import Control
from mmlth.core.mask import Mask

from ..afresh import check_afresh, start_afresh
from ..model import build_model
from .start import Start, State

if TYPE_CHECKING:
    from ..specs import RewindSpec


class ControlStart(Start):
    """A start in place of the ticket's own.

    Args:
        ticket: The ticket's own.
    """

    def __init__(self, ticket: Start):
        self.ticket = ticket
        self.length = ticket.length

    def check(self, cfg: Config, rewind: 'RewindSpec') -> None:
        """As the ticket's own."""
        self.ticket.check(cfg, rewind)

    def adapt(self, cfg: Config, rewind: 'RewindSpec', point: Path) -> None:
        """As the ticket's own."""
        self.ticket.adapt(cfg, rewind, point)


class TrainedOn(ControlStart):
    """The trained weights go on, whatever the ticket starts from."""
    rewinds = False

    def weights(self, point: Mapping[str, Tensor], trained: Mapping[str, Tensor],
                mask: Mask) -> State:
        """The trained ones."""
        return dict(trained)


class Fresh(ControlStart):
    """A new initialisation, and nothing learnt."""
    initialises = True
    resumes = False

    def __init__(self, ticket: Start):
        super().__init__(ticket)
        self.rewinds = ticket.rewinds       # not that it needs the weights there

    def check(self, cfg: Config, rewind: 'RewindSpec') -> None:
        """Nothing learnt may be left in the model, and all of it must train."""
        super().check(cfg, rewind)
        check_afresh(cfg, build_model)

    def weights(self, point: Mapping[str, Tensor], trained: Mapping[str, Tensor],
                mask: Mask) -> State:
        """None."""
        return {}

    def adapt(self, cfg: Config, rewind: 'RewindSpec', point: Path) -> None:
        """Also no rewind point and no pretrained weights."""
        super().adapt(cfg, rewind, point)
        start_afresh(cfg)

    @classmethod
    def trained_before(cls, point: Optional[int], before: Optional[int]) -> Optional[int]:
        """None."""
        return 0


def start_of_control(control: Optional[Control]) -> Optional[Type[ControlStart]]:
    """What a control starts from; None if it is what the ticket starts from."""
    if control is None:
        return None
    return Fresh if control.fresh else TrainedOn if control.every_round else None
