"""What a source of masks is."""
from typing import Any, Dict

from mmengine.config import Config

from mmlth.core import Ticket

from ..training import Training


class MaskSource:
    """Where the mask of the next ticket comes from.

    All but ``check`` are called on every rank, with trainings that are the same.

    Attributes:
        at_start: The mask is there before the first update and does not depend on the training.
        of_the_start: It is drawn of the weights, or the data, before the first update.
    """
    at_start = False
    of_the_start = False

    def words(self) -> str:
        """What is pruned, and how, in sentences."""
        raise NotImplementedError

    def check(self, cfg: Config) -> None:
        """Raise a UserError for what a lottery would miss later.

        Args:
            cfg: The lottery's config.
        """

    def before(self, training: Training) -> None:
        """Find what is wrong before the training; with ``at_start``, keep the mask.

        A mask that is kept is a ticket's file, ``paths.START_MASK``, in the training's folder.

        Raises:
            UserError: The ticket could not be had at the end.
        """

    def ticket(self, training: Training) -> Ticket:
        """The mask, once the training is over.

        Returns:
            Ticket: Its start weights are taken in place of those that the ticket would have; most
            sources have none. Its meta is of the mask alone.
        """
        raise NotImplementedError

    def meta(self, ticket: Ticket) -> Dict[str, Any]:
        """What the next ticket notes of its mask, in plain values.

        Args:
            ticket: From :meth:`ticket`.
        """
        return {}
