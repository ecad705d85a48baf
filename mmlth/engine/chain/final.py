"""What a finished round leaves: its metrics and ``final.pth``."""
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

import mmengine
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.checkpoint import weights_to_cpu
from mmengine.utils import apply_to

from mmlth.core import Ticket
from mmlth.core import mask as masks
from mmlth.core import paths
from mmlth.core.files import AnyPath, whole_file

from ..checkpoints import checkpoint_entry, plain
from ..hooks.last_saved_hook import LastSavedHook
from ..runners import bare_model, check_mask_aware, masked_teacher


class MetricsHook(Hook):
    """Keep the metrics of the last validation, and see that no validation is left out.

    mmengine saves a checkpoint before the validation that belongs to it. A training that was
    killed in between goes on without: a scheduler that follows a metric misses a step, a best
    checkpoint is not written. Such a validation is made up for before the first iteration. One
    that ends where no validation is due, by an early stop for one, is validated at its end, while
    the backends that log it are still open.

    Args:
        on_checkpoint: Called whenever a checkpoint is saved.
        metrics: Of a dense training that was run elsewhere: none is validated. Default: None.
        given: The model was trained elsewhere, and is to be validated without any iteration here.
            Default: False.

    Note:
        LOWEST priority: all else is in place when a resumed training validates, and hooks
        that change weights at the end come first.
    """
    priority = 'LOWEST'

    def __init__(self, on_checkpoint: Callable[[], None],
                 metrics: Optional[Mapping[str, float]] = None, given: bool = False):
        self.metrics: Dict[str, float] = dict(metrics or {})
        self.known = bool(metrics)
        self.given = given
        self.iteration: Optional[int] = None        # the one the metrics belong to
        self.validated: Optional[int] = 0           # the last; None if a checkpoint noted none
        self._on_checkpoint = on_checkpoint

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read which validation was the last."""
        if runner._resume:
            self.validated = checkpoint.get('mmlth', {}).get('validated')

    def before_train(self, runner: Runner) -> None:
        """Tell in round 0 what would stop round 1; make up for a validation."""
        check_mask_aware(runner.optim_wrapper)      # a constructor may build any wrapper
        missed = self.validated not in (None, runner.iter)
        if missed and not self.known and is_validation_due(runner):
            runner.val_loop.run()

    def before_val(self, runner: Runner) -> None:
        """Note it now: a best checkpoint is saved within, behind the schedulers' step."""
        self.validated = runner.iter

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        """Keep the metrics."""
        self.metrics, self.iteration = numbers(metrics or {}), runner.iter

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note the last validation."""
        checkpoint.setdefault('mmlth', {})['validated'] = self.validated
        self._on_checkpoint()

    def after_train(self, runner: Runner) -> None:
        """Validate the trained weights if the loop did not, and if there are any."""
        validated = self.known or self.iteration == runner.iter
        trained = self.given or runner.iter > 0
        if runner.val_loop is not None and trained and not validated:
            runner.val_loop.run()


def is_validation_due(runner: Runner) -> bool:
    """Whether the train loop validates where the training stands."""
    loop = runner.train_loop
    done, end = ((loop.epoch, loop.max_epochs) if isinstance(loop, EpochBasedTrainLoop)
                 else (loop.iter, loop.max_iters))
    if runner.val_loop is None or not 0 < done or done < loop.val_begin:
        return False
    loop._decide_current_val_interval()
    return done % loop.val_interval == 0 or done == end


def numbers(metrics: Mapping[str, Any]) -> Dict[str, float]:
    """The metrics that are one number each, in whatever tensor, array or type it comes."""
    found = {}
    for name, value in metrics.items():
        if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
            value = value.item() if math.prod(value.shape) == 1 else None
        if isinstance(value, (int, float)):
            found[name] = float(value)
    return found


def trained_ticket(runner: Runner, ticket: Ticket, folder: AnyPath) -> Ticket:
    """The ticket with the masks that it has now; they are kept in ``folder`` if they have moved."""
    trained = replace(ticket, mask=runner.optim_wrapper.mask)
    if masks.digest(trained.mask) != masks.digest(ticket.mask):
        meta = {key: value for key, value in ticket.meta.items() if key != 'sparsity'}
        Ticket(trained.mask, {}, meta).save(Path(folder) / paths.FINAL_MASK)
    return trained


def save_final(runner: Runner, path: AnyPath, mask: masks.Mask,
               given: Optional[Mapping[str, Any]] = None) -> None:
    """Write weights, plain meta and masks: what any tool can load without mmlth.

    With an EMAHook the weights are the averaged ones, those that were evaluated. Masks that were
    changed within the training come with what checkpoints note of that, and weights that a hook
    has set behind the last checkpoint with ``set_at_end`` in the meta. ``given`` is the note of a
    model that was trained elsewhere (:meth:`mmlth.engine.given.Given.note`).
    """
    done = dict(iter=runner.iter, epoch=runner.epoch)
    if given is not None:
        done = dict(iter=given['iterations'] or 0, epoch=given['epoch'] or 0)
    meta = dict(
        done, seed=runner.seed, experiment_name=runner.experiment_name, cfg=runner.cfg.pretty_text)
    dataset_meta = getattr(runner.train_dataloader.dataset, 'metainfo', None)
    if dataset_meta is not None:
        meta['dataset_meta'] = plain(dataset_meta)
    checkpoint = usual_checkpoint(runner, meta)
    runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
    meta['averaged'] = 'ema_state_dict' in checkpoint
    if LastSavedHook.added(runner).ended_with_others(runner, checkpoint['state_dict']):
        meta['set_at_end'] = True
    noted = {key: value for key, value in checkpoint.get('mmlth', {}).items() if key == 'update'}
    entry = checkpoint_entry(mask, masked_teacher(runner, mask))
    with whole_file(path) as part, open(part, 'wb') as file:
        torch.save(dict(meta=meta, state_dict=checkpoint['state_dict'],
                        mmlth={**entry, **noted}), file)


def usual_checkpoint(runner: Runner, meta: Mapping[str, Any]) -> Dict[str, Any]:
    """What ``Runner.save_checkpoint`` hands to hooks, which may read any part of it."""
    hub, optimizer = (
        apply_to(state, lambda value: hasattr(value, 'cpu'), lambda tensor: tensor.cpu())
        for state in (runner.message_hub.state_dict(), runner.optim_wrapper.state_dict()))
    told = dict(time=time.strftime('%Y%m%d_%H%M%S'), mmengine_version=mmengine.__version__)
    return dict(meta={**meta, **told}, message_hub=hub, optimizer=optimizer,
                state_dict=weights_to_cpu(bare_model(runner.model).state_dict()),
                param_schedulers=[s.state_dict() for s in runner.param_schedulers or []])
