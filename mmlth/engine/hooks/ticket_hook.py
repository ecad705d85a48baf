"""Train a ticket."""
import os
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmlth.core import Ticket
from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.core.state import late_schedulers
from mmlth.registry import HOOKS
from mmlth.transfer import Source, read_source, transfer

from ..checkpoints import checkpoint_entry, forget_checkpoints, masks_of
from ..kernel_check import warn_of_refilled
from ..masked_optim_wrapper import MaskAware
from ..optimizer_check import check_built
from ..ranks import together
from ..runners import (all_masked, bare_model, check_mask_aware, check_model_wrapper,
                       check_same_on_all_ranks, ema_copies, masked_teacher, mean_teacher,
                       warn_of_teacher)
from ..start_weights import load_start, set_learning_rates
from ..updater import Updater, how_begun
from ..updates import MaskUpdate, update_of
from .last_mask_hook import LastMaskHook
from .ticket_drawing import draw_now, drawing_of


@HOOKS.register_module()
class TicketHook(Hook):
    """Load a ticket at the start of a training: start weights and masks.

    The masks are bound to the optim wrapper, which must be a ``MaskedOptimWrapper`` or
    ``MaskedAmpOptimWrapper``. They ride in every checkpoint under the key ``mmlth``;
    the checkpoint's ``state_dict`` keeps stock keys and real zeros. A training that
    is resumed keeps the weights of its checkpoint and takes only the masks; one that
    starts from a rewind point starts from the ticket's weights.

    EMA copies of the model get the same start weights and zeros, as in a new training. From a
    rewind point they go on from the average there times the mask, where the ticket's
    weights are those of the point; where they are others (trained or transferred ones), from these.
    So does a teacher that MMDetection's MeanTeacherHook makes of its student, the one with the
    masks; checkpoints note its names under ``mmlth``, as ``copies``.

    Args:
        ticket: The ticket's file. With a mapping, a checkpoint with masks or zeros too.
            Default: None, the mask is drawn.
        last_learning_rate: Start with the learning rates at which the training that drew the
            ticket has ended, one per parameter group. Default: False, those of the config.
        mapping: How the ticket of another model is carried over: a key of
            ``mmlth.transfer.MAPPINGS`` or a list of (regex, replacement). Default: None, the
            names are this model's.
        strict: The ticket must hold start weights for the whole model, or none; with a
            mapping, for the whole of those parts that it has any for, and all shapes must
            agree. ``False`` leaves what it lacks as it was initialised. Default: True.
        update: How the mask changes within the training: ``dict(type=...)`` with ``'gradual'``,
            ``'set'`` or ``'rigl'`` (:mod:`mmlth.engine.updates`) and its arguments; with
            ``draw``, those of a drawing are taken from there. Default: None, the mask is static.
        draw: Instead of ``ticket``: draw the mask of the weights that the training starts with,
            ``dict(sparsity=0.8, ...)`` with those arguments of a PruneHook that say what is drawn
            and how. A training that is resumed takes its checkpoint's masks. Default: None.

    Note:
        HIGH priority: the start weights are in place before other hooks read them.
    """
    priority = 'HIGH'

    def __init__(self, ticket: Optional[str] = None, last_learning_rate: bool = False,
                 mapping: Union[None, str, Sequence] = None, strict: bool = True,
                 update: Union[None, str, Dict[str, Any]] = None,
                 draw: Optional[Dict[str, Any]] = None):
        if (ticket is None) == (draw is None) or draw is not None and mapping is not None:
            raise UserError("TicketHook: give it the file of a ticket, or draw=dict(sparsity=...), "
                            'which takes no mapping')
        self.drawing = None if draw is None else drawing_of(draw, update)
        self.path = 'drawn at the start' if ticket is None else os.path.expanduser(ticket)
        self.mapping = mapping
        self.strict = strict
        self.last_learning_rate = last_learning_rate
        self._loaded: Optional[Ticket] = None       # until its masks are bound
        # From then on: who has the masks, and the ticket's meta.
        self._bound: Optional[Tuple[MaskAware, Dict[str, Any]]] = None
        self.source: Optional[Source] = None    # until it is the ticket of this model
        self.resumed = False
        self.rewound = False    # the schedule goes on from a rewind point
        self.entry: Dict[str, Any] = {}     # of the checkpoint that the training goes on from
        if self.drawing is not None:
            update = self.drawing.ticket_update()
        self.update: Optional[MaskUpdate] = None if update is None else update_of(update)
        self.updater: Optional[Updater] = None      # once it has the masks

    @property
    def ticket(self) -> Optional[Ticket]:
        """The ticket; once training has begun without its start weights, which may take gigabytes.

        Its masks are then worked out anew each time, from what the optimizer keeps of them.
        """
        if self._bound is None:
            return self._loaded
        wrapper, meta = self._bound
        return Ticket(wrapper.bound.mask, {}, meta)

    def before_run(self, runner: Runner) -> None:
        """Read the file before the data and the weights are."""
        with together():
            if self.drawing is not None:
                return
            if self.mapping is None:
                self._loaded = Ticket.load(self.path)
            else:
                self.source = read_source(self.path)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note whether this is a resume, and with which masks."""
        # A rewind point has the masks of round 0, and with mode='lr' not the start weights.
        if checkpoint.get('meta', {}).get('rewind_point'):
            self.rewound = runner._resume
            late = late_schedulers(checkpoint) if self.rewound else 0
            if late:
                runner.logger.warning(
                    f'{late} scheduler(s) of this rewind point lack its last step: an earlier '
                    'version of mmlth saved it. The learning rates of this ticket are one step '
                    'behind those of the dense training.')
        else:
            self.resumed = runner._resume
            self.entry = checkpoint.get('mmlth', {}) if self.resumed else {}

    def before_train(self, runner: Runner) -> None:
        """Put the start weights and the masks in place."""
        check_mask_aware(runner.optim_wrapper)
        check_built(runner.optim_wrapper.optimizer, bool(self.update and self.update.grows))
        check_model_wrapper(runner.model)
        bare = bare_model(runner.model)
        ticket = self._loaded = self._ticket(runner, bare)
        begun, mask = how_begun(self.entry, ticket, self.update, self.path,
                                drawn=self.drawing is not None)
        check_same_on_all_ranks(masks.digest(mask))
        params = dict(bare.named_parameters())
        masks.check_fits(mask, params, self.path)
        if not self.resumed:
            load_start(bare, ema_copies(runner), mean_teacher(runner), ticket, self.path,
                       self.rewound, self.strict and self.mapping is None)
        for whole, tensors in all_masked(runner, mask):
            masks.apply(whole, tensors)
        if self.rewound:
            forget_checkpoints(runner.message_hub)
        if self.last_learning_rate and not self.resumed:
            set_learning_rates(runner.optim_wrapper, ticket.meta, self.path)
        warn_of_refilled(runner.logger, bare, mask)
        warn_of_teacher(runner, mask)
        runner.optim_wrapper.bind(params, mask)
        if self.update is not None:
            self.updater = runner.optim_wrapper.before_step = Updater(
                self.update, runner, begun['ticket'], begun.get('done', runner.iter),
                begun.get('target'))
        start = 'start weights loaded' if ticket.state else 'the weights are those of the model'
        runner.logger.info(
            f'Ticket {self.path}: {masks.pruned(mask):,} of {masks.size(mask):,} weights '
            f'in scope are pruned; {"resumed" if self.resumed else start}')
        self._loaded, self._bound = None, (runner.optim_wrapper, ticket.meta)
        runner.register_hook(LastMaskHook())
        self.entry = {}

    def _ticket(self, runner: Runner, bare: nn.Module) -> Ticket:
        """The ticket that was read, is transferred, or is drawn now."""
        if self.drawing is not None:
            if 'masks' in self.entry:
                return Ticket(masks_of(self.entry))
            return draw_now(self.drawing, runner)
        if self.mapping is None:
            return self._loaded or Ticket.load(self.path)   # before_run reads it as a rule
        source = self.source or read_source(self.path)
        ticket, outcome = transfer(source, bare, self.mapping, strict=self.strict)
        runner.logger.info(f'{self.path} is transferred; {outcome.to_text()}')
        self.source = None
        return ticket

    def after_train(self, runner: Runner) -> None:
        """Warn of a mask that has not become what it was to be."""
        if self.updater is not None:
            self.updater.check_end()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the masks into the checkpoint, as plain types and tensors.

        Where it holds the optimizer, the names of the optimizer's parameters too, in its
        numbering: its state can then be checked without the model. Nothing before a ticket that is
        drawn or transferred here is there.
        """
        ticket = self.ticket
        if ticket is None:
            return
        entry = checkpoint_entry(ticket.mask, masked_teacher(runner, ticket.mask))
        if 'optimizer' in checkpoint:
            entry['optimizer'] = runner.optim_wrapper.names()
        if self.updater is not None:
            entry['update'] = self.updater.entry
        checkpoint.setdefault('mmlth', {}).update(entry)
