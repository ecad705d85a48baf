"""Draw candidate masks while training, and end it once they no longer change."""
from pathlib import Path
from typing import Any, Dict, Optional

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmlth.core import Ticket, early_bird, paths
from mmlth.core.errors import UserError
from mmlth.core.files import whole_file, write_text
from mmlth.core.mask import Mask
from mmlth.core.similarity import MEASURED, chance_iou, iou
from mmlth.registry import HOOKS
from mmlth.report.plot import plot
from mmlth.report.style import assign

from ..early_bird import early_bird_figure, folder_of, scalars_of, stop_iteration
from ..mask_sources import Drawn
from ..ranks import on_rank_0, together
from ..specs import EarlyBirdSpec
from ..training import Training
from .prune_hook import PruneHook
from .rewind_hook import rewind_hook


@HOOKS.register_module()
class EarlyBirdHook(Hook):
    """Track early-bird tickets (You et al. 2020; the paper, 4.3 and Fig. 2f).

    Every ``interval`` iterations it draws the mask that the training's
    :class:`PruneHook` would draw at that moment, keeps it bit-packed in the work dir's
    folder ``early_bird``, and logs its IoU with the candidate before, of the surviving weights
    and of the pruned ones, for the whole scope and per group. At the end of the training it
    writes the IoU of all candidates with the final mask as ``early_bird/curve.csv`` and ``.png``,
    beside the level that random masks would reach. A ``LotteryRunner`` keeps the hook
    in round 0 only.

    Args:
        interval: Iterations between candidates. Default: 500.
        stop: ``dict(iou=0.95, patience=3, of='survivors')`` ends the training early, once that
            many candidates in a row agree with the one before by at least ``iou``; the last
            of them is the mask of the next ticket. ``of='pruned'`` takes the IoU of the pruned
            weights, the paper's measure, which is higher: at 80 % sparsity 0.95 where that of
            the survivors is 0.81. Default of ``of``: ``'survivors'``. ``dict(at='25%')`` ends it
            there, with the mask of that moment (``'600it'``, ``'2ep'`` or ``'25%'``, as
            RewindHook's ``to``), to see what masks of various stages are worth. An epoch-based
            training ends with the epoch. Default: None, train to the end.

    Note:
        LOWEST priority: it draws what the iteration left, and at the end it reads the
        ticket that the PruneHook has written.
    """
    priority = 'LOWEST'

    def __init__(self, interval: int = 500, stop: Optional[Dict[str, Any]] = None):
        self.given = dict(interval=interval, stop=stop)
        self.spec = EarlyBirdSpec.parse(self.given)
        self.stop_at: Optional[int] = None      # the iteration that stop=dict(at=...) names
        self.streak = 0                         # candidates in a row that agreed
        self.found: Optional[int] = None        # the iteration whose mask is the ticket's
        self.previous: Optional[Mask] = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on counting where the checkpoint was written."""
        state = checkpoint.get('mmlth', {}).get('early_bird')
        if runner._resume and state:
            self.streak, self.found = state['streak'], state['found']

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the count."""
        checkpoint.setdefault('mmlth', {})['early_bird'] = dict(
            streak=self.streak, found=self.found)

    def before_train(self, runner: Runner) -> None:
        """Drop candidates of a training that was cut off; end one that was ended."""
        prune = next((hook for hook in runner.hooks if isinstance(hook, PruneHook)), None)
        if prune is None or prune.spec.source(prune.round).at_start:
            raise UserError(
                'EarlyBirdHook draws what a PruneHook would draw at the end of the training: add '
                "one with at='end' to the hooks")
        if self.spec.stop is not None and 'at' in self.spec.stop:
            rewind = rewind_hook(runner)
            self.stop_at = stop_iteration(
                self.spec.stop['at'], rewind and rewind.spec.to, runner.max_iters,
                len(runner.train_dataloader))
        for iteration, path in early_bird.candidates(folder_of(runner)).items():
            if iteration <= runner.iter:
                self.previous = Ticket.load(path).mask
            elif is_main_process():
                path.unlink()
        if self.found is not None:
            runner.train_loop.stop_training = True

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None,
                         outputs: Optional[dict] = None) -> None:
        """Draw a candidate every ``interval`` iterations, and where the training ends."""
        if self.found is None and (self.every_n_train_iters(runner, self.spec.interval)
                                   or runner.iter + 1 == self.stop_at):
            self.observe(runner)
            if self.found and not isinstance(runner.train_loop, EpochBasedTrainLoop):
                end_training(self, runner, by_epoch=False)

    def after_train_epoch(self, runner: Runner) -> None:
        """End an epoch-based training that has found its ticket."""
        if self.found and isinstance(runner.train_loop, EpochBasedTrainLoop):
            end_training(self, runner, by_epoch=True)

    def after_train(self, runner: Runner) -> None:
        """Write the curve."""
        write_curve(runner)

    def found_mask(self, runner: Runner) -> Optional[Ticket]:
        """The candidate that ended the training; None if it ran to its end."""
        if self.found is None:
            return None
        with together():
            return Ticket.load(early_bird.candidate_path(folder_of(runner), self.found))

    def observe(self, runner: Runner) -> None:
        """Draw, keep and compare one candidate."""
        iteration, stop = runner.iter + 1, self.spec.stop
        mask = draw_candidate(runner, iteration)
        if self.previous is not None:
            agreement = report_agreement(runner, mask, self.previous, iteration)
            if stop is not None and 'iou' in stop:
                agrees = agreement[stop.get('of', 'survivors')] >= stop['iou']
                self.streak = self.streak + 1 if agrees else 0
                if self.streak >= stop['patience']:
                    self.found = iteration
        if iteration == self.stop_at:
            self.found = iteration
        self.previous = mask


def draw_candidate(runner: Runner, iteration: int) -> Mask:
    """The mask that the PruneHook would draw now; rank 0 keeps it."""
    prune = next(hook for hook in runner.hooks if isinstance(hook, PruneHook))
    drawn = Drawn(prune.spec, prune.round).ticket(Training.of(runner, prune.round))
    mask = {name: keep.cpu() for name, keep in drawn.mask.items()}
    with together():
        if is_main_process():
            meta = dict(drawn.meta, iteration=iteration,
                        sparsity=prune.spec.sparsity_of(prune.round + 1))
            Ticket(mask, {}, meta).save(
                early_bird.candidate_path(folder_of(runner), iteration))
    return mask


def report_agreement(runner: Runner, mask: Mask, previous: Mask,
                     iteration: int) -> Dict[str, float]:
    """Log and return the IoU with the candidate before, of the survivors and of the pruned."""
    runner.visualizer.add_scalars(scalars_of(mask, previous), step=iteration)
    agreement = {of: iou(mask, previous, of) for of in MEASURED}
    levels = [f'{value:.4f} of the {of} (random masks: {chance_iou(mask, previous, of):.4f})'
              for of, value in agreement.items()]
    runner.logger.info(f'Early-bird mask of iteration {iteration}: IoU with the one before '
                       + ', '.join(levels))
    return agreement


def end_training(hook: EarlyBirdHook, runner: Runner, by_epoch: bool) -> None:
    """Stop the loop. It writes no last checkpoint then, so write it here."""
    runner.train_loop.stop_training = True
    done = runner.iter if by_epoch else runner.iter + 1     # an epoch has counted its last
    runner.logger.info(
        f'The early-bird ticket is found: training ends after {done} of '
        f'{runner.max_iters} iterations with the mask of iteration {hook.found}')
    save_checkpoint(runner, by_epoch)


@on_rank_0
def save_checkpoint(runner: Runner, by_epoch: bool) -> None:
    """Write the checkpoint of the early end, where a resume finds it."""
    path = Path(runner.work_dir) / paths.EARLY_BIRD_CHECKPOINT
    with whole_file(path) as part:
        runner.save_checkpoint(str(part.parent), part.name, by_epoch=by_epoch)
    write_text(Path(runner.work_dir) / 'last_checkpoint', str(path))


@on_rank_0
def write_curve(runner: Runner) -> None:
    """Compare all candidates with the ticket that the PruneHook has drawn."""
    prune = next(h for h in runner.hooks if isinstance(h, PruneHook))
    rows = early_bird.curve(folder_of(runner), Ticket.load(prune.path(runner)).mask)
    if rows:
        early_bird.write_curve(folder_of(runner), rows)
        figure = early_bird_figure(rows)
        with whole_file(folder_of(runner) / paths.EARLY_BIRD_FIGURE) as part:
            part.write_bytes(plot(figure, assign([figure])).png)
