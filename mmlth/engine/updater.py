"""Changes the masks of one training, at the times that its update says."""
from bisect import bisect_right
from typing import Any, Dict, Mapping, Optional, Tuple

import torch
from mmengine.runner import Runner

from mmlth.core import Ticket
from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.core.mask import Mask

from .checkpoints import masks_of
from .passes import iterations_of_pass
from .runners import all_masked, bare_model, check_same_on_all_ranks
from .training import Training
from .updates import MaskUpdate, Moment


class Updater:
    """What a ``MaskAware`` wrapper calls before each step, as its ``before_step``.

    An update happens at the first step at or after its time. It waits while a gradient in scope is
    not finite, as AMP's are at times. What it changes is masked at once in averaged copies too.
    All ranks work the mask out by themselves and compare their digests.

    Args:
        update: The method.
        runner: Of the training. Its wrapper is bound.
        ticket: Digest of the masks that the training has begun with.
        done: The iteration of the last update that is in these masks; or where the training begins.
        target: See :meth:`MaskUpdate.target`; None, too, where nothing is done yet. Default: None.
    """

    def __init__(self, update: MaskUpdate, runner: Runner, ticket: str, done: int,
                 target: Optional[Dict[str, Any]] = None):
        self.update, self.runner, self.ticket = update, runner, ticket
        self.done, self.target = done, target
        update.check_steps(runner.optim_wrapper._accumulative_counts)
        self.times = update.times(runner.max_iters, iterations_of_pass(runner))
        self.seed = Training.of(runner).seed

    @property
    def entry(self) -> Dict[str, Any]:
        """What a checkpoint notes, and a resumed training goes on from."""
        return dict(done=self.done, ticket=self.ticket, target=self.target)

    def check_end(self) -> None:
        """Warn if the training has ended before the last update."""
        if self.done < self.times[-1]:
            self.runner.logger.warning(
                f'The training has ended after {self.runner.iter} iterations, before the last '
                f'update of its mask (iteration {self.times[-1]}): the mask is that of iteration '
                f'{self.done}.')

    def __call__(self) -> bool:
        """Update the masks if it is time; return whether that takes the place of the step."""
        now = self.runner.iter + 1
        passed = bisect_right(self.times, now)
        if not passed or self.times[passed - 1] <= self.done:
            return False
        moment = self._moment(now)
        if moment is None:
            return False
        before, mask = masks.digest(moment.mask), self.update.mask(moment)
        digest = masks.digest(mask)
        check_same_on_all_ranks(digest)
        self.done, self.target = now, self.update.target(now, self.times)
        if digest == before:
            return False
        self.runner.optim_wrapper.rebind(mask)
        for whole, params in all_masked(self.runner, mask):
            masks.apply(whole, params)
        return self.update.replaces_step

    def _moment(self, now: int) -> Optional[Moment]:
        """What there is to see; None if a gradient is not finite."""
        wrapper = self.runner.optim_wrapper
        gradients = wrapper.binding.gradients()
        if not all(torch.isfinite(g).all() for g in gradients.values() if g is not None):
            return None
        params = dict(bare_model(self.runner.model).named_parameters())
        weights = {name: params[name].detach() for name in gradients}
        mask = {name: keep.to(weights[name].device) for name, keep in wrapper.mask.items()}
        return Moment(now, self.times, mask, weights, gradients, self.seed)


def how_begun(entry: Mapping[str, Any], ticket: Ticket, update: Optional[MaskUpdate], source: str,
              drawn: bool) -> Tuple[Dict[str, Any], Mask]:
    """What a training notes of its mask's update, and the mask as it is now.

    Args:
        entry: The entry ``mmlth`` of the checkpoint that the training goes on from; empty if it
            begins.
        ticket: What it trains.
        update: How its mask changes; None if it is static.
        source: Where the ticket is from, for messages.
        drawn: The ticket was drawn by the training itself.

    Raises:
        UserError: The training has begun with another ticket, or without this update.
    """
    noted = entry.get('update') or dict(ticket=entry.get('digest'))
    digest, pruned = masks.digest(ticket.mask), masks.pruned(ticket.mask)
    if not drawn and noted['ticket'] not in (None, digest):
        raise UserError(
            f'{source} is not the ticket that this training began with: its masks '
            'differ from those in the checkpoint. Put the old ticket back, or start '
            'in another work dir.')
    if 'update' not in entry:
        if update is not None and update.begins_dense and pruned:
            raise UserError(
                f'{source} prunes {pruned:,} of {masks.size(ticket.mask):,} weights, but '
                f'{type(update).__name__} begins with all of them: train a model without a '
                'ticket, TicketHook(draw=..., update=...)')
        return dict(ticket=digest), ticket.mask
    if update is None:
        raise UserError(
            'by the checkpoint the masks of this training change; to go on with it, set '
            'TicketHook(update=...) as it was')
    return noted, masks_of(entry)
