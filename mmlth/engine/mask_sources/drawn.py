"""Masks that are drawn of the weights, before the training or at its end."""
from typing import TYPE_CHECKING, Any, Dict, Mapping

from mmengine.dist import is_main_process
from torch import Tensor

from mmlth.core import Probe, Ticket, layers_of, paths
from mmlth.core.errors import UserError

from ..costs import uncalled
from ..kernel_check import trial_mask, warn_of_refilled, warn_of_unmaskable
from ..ranks import agreed, together
from ..training import Training
from .source import MaskSource

if TYPE_CHECKING:
    from ..specs import PruneSpec

AGREEING = 0.5      # IoU, at least, of masks that should be the same


class Drawn(MaskSource):
    """The mask that a PruneHook draws of the trained weights.

    Args:
        prune: What it is set to.
        round: The round whose weights they are.
    """

    def __init__(self, prune: 'PruneSpec', round: int):
        self.prune = prune
        self.round = round

    def words(self) -> str:
        """Scope, allocation, score and floor."""
        scope, drawing = self.prune.scope, self.prune.drawing
        return (f'Scope: {scope.spec or "every convolution and linear weight"}; frozen weights '
                f'are {"in" if scope.frozen else "not in"} scope. '
                f'Allocation: {drawing.allocation.name}; score: {drawing.score.name}; '
                f'floor of each layer: {drawing.floor:.0%}.')

    def before(self, training: Training) -> None:
        """See that the last mask leaves each layer its floor; warn of what masks do not reach."""
        prune, model = self.prune, training.model
        weights = prune.scope.select(model)
        costs = self._costs(training, weights)
        unreached = uncalled(costs, costs)
        if unreached and len(unreached) == len(weights):
            raise UserError(
                f'PruneHook(allocation={prune.drawing.allocation.name!r}): the image that '
                f'multiply-adds are counted on reaches none of the {len(weights)} layers in scope, '
                f'the first is {unreached[0]}: there is nothing to go by. Choose another '
                'allocation, or a scope of what the model predicts with')
        if unreached:
            training.logger.warning(
                f'The image that multiply-adds are counted on does not reach {len(unreached)} '
                f'layer(s): {", ".join(unreached)}. They count one a weight, and stay nearly '
                'dense.')
        prune.drawing.check_room(weights, prune.sparsity_of(prune.rounds), layers_of(model, costs))
        if self.round == 0:     # a ticket is looked at by its TicketHook
            warn_of_unmaskable(training.logger, model)
            warn_of_refilled(training.logger, model, trial_mask(weights))

    def ticket(self, training: Training) -> Ticket:
        """The mask of the weights as they are; in its meta the ``costs`` it was drawn by, if any.

        Another mask of the training, an earlier one, is drawn just so.
        """
        prune, drawing = self.prune, self.prune.drawing
        weights = prune.scope.select(training.model)
        costs, probe = self._costs(training, weights), training.probe(drawing.batches)
        mask = drawing.draw(weights, prune.sparsity_of(self.round + 1), earlier=training.mask,
                            probe=probe, layers=layers_of(training.model, costs))
        warn_of_noise(drawing.score.name, probe, training)
        return Ticket(agreed(mask, drawing.score.probed), {}, dict(costs=costs) if costs else {})

    def meta(self, ticket: Ticket) -> Dict[str, Any]:
        """The settings it was drawn with, and the multiply-adds that it was drawn by."""
        prune, drawing, update = self.prune, self.prune.drawing, self.prune.ticket_update()
        return dict(
            {key: ticket.meta[key] for key in ('costs',) if key in ticket.meta},
            **({} if update is None else dict(update=_plain(update))),
            sparsity=prune.sparsity_of(self.round + 1), allocation=drawing.allocation.name,
            score=drawing.score.name, at=prune.at, floor=drawing.floor,
            frozen=prune.scope.frozen, scope=prune.scope.plain())

    def _costs(self, training: Training, weights: Mapping[str, Tensor]) -> Dict[str, float]:
        """Multiply-adds of one entry of each weight, for an allocation that asks for them."""
        costs = training.costs() if self.prune.drawing.allocation.needs_macs else {}
        return {name: costs[name] for name in weights if name in costs}


def _plain(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """As JSON has them; a class by its name."""
    return {key: value if isinstance(value, (str, int, float)) else str(value)
            for key, value in settings.items()}


class DrawnAtStart(Drawn):
    """The mask that a PruneHook draws before the first update."""
    at_start = True
    of_the_start = True

    def before(self, training: Training) -> None:
        """Draw the mask and keep it for the end of the training; rank 0 writes."""
        super().before(training)
        path = training.folder / paths.START_MASK
        drawn = super().ticket(training) if training.iteration == 0 else None
        with together():
            if not is_main_process():
                return
            if drawn is not None:
                meta = dict(drawn.meta, score=self.prune.drawing.score.name)
                Ticket(drawn.mask, {}, meta).save(path)
                training.logger.info(f'The mask is drawn before the training: {path}')
            elif not path.is_file():
                raise UserError(
                    f'PruneHook: the training resumes at iteration {training.iteration}, but the '
                    f'mask drawn before its start, {path}, is gone. Start the training anew.')

    def ticket(self, training: Training) -> Ticket:
        """The mask that was kept."""
        return kept(training)


def kept(training: Training) -> Ticket:
    """The mask that was there before the first update of a training."""
    with together():
        return Ticket.load(training.folder / paths.START_MASK)


def warn_of_noise(score: str, probe: Probe, training: Training) -> None:
    """Say how far the masks of two step sizes agree, at worst, if that is too little."""
    worst = min(probe.agreements, default=None)
    if worst is not None and worst.found < AGREEING:
        training.logger.warning(
            f'{score}: masks that are drawn with two step sizes agree to an IoU of '
            f'{worst.found:.2f} (random masks: {worst.chance:.2f}): the loss is too rough for its '
            "curvature, and much of the mask is noise. Take more batches, or score='snip'.")
