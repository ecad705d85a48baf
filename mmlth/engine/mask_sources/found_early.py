"""The mask that has ended a training early."""
from typing import Any, Dict

from mmlth.core import Ticket

from ..training import Training
from .source import MaskSource


class FoundEarly(MaskSource):
    """A mask that a hook has found while the training ran (its ``found_mask``).

    Args:
        inner: Where the mask would come from otherwise; it has drawn this one too.
        found: The mask.
    """

    def __init__(self, inner: MaskSource, found: Ticket):
        self.inner = inner
        self.found = found

    def words(self) -> str:
        """As of any mask that ``inner`` draws."""
        return self.inner.words()

    def ticket(self, training: Training) -> Ticket:
        """The mask that was found."""
        return self.found

    def meta(self, ticket: Ticket) -> Dict[str, Any]:
        """As of any mask that ``inner`` has drawn."""
        return self.inner.meta(ticket)
