"""What a ticket is compared with: its mask changed as a control says."""
from dataclasses import replace
from typing import Any, Dict

from mmengine.config import Config

from mmlth.core import Control, Ticket

from ..training import Training
from .source import MaskSource


class Controlled(MaskSource):
    """The mask of a control (:mod:`mmlth.core.drawing.control`).

    Args:
        inner: Where the ticket's mask comes from.
        control: Whose.
    """

    def __init__(self, inner: MaskSource, control: Control):
        self.inner = inner
        self.control = control
        self.at_start, self.of_the_start = inner.at_start, inner.of_the_start

    def words(self) -> str:
        """As of the ticket."""
        return self.inner.words()

    def check(self, cfg: Config) -> None:
        """As for the ticket."""
        self.inner.check(cfg)

    def before(self, training: Training) -> None:
        """As for the ticket: what is kept is its mask, not the control's."""
        self.inner.before(training)

    def ticket(self, training: Training) -> Ticket:
        """The ticket's mask, changed."""
        ticket = self.inner.ticket(training)
        return replace(ticket, mask=self.control.mask(ticket.mask, training.seed))

    def meta(self, ticket: Ticket) -> Dict[str, Any]:
        """That of the ticket's mask, and the control."""
        return {**self.inner.meta(ticket), 'control': self.control.name}
