"""Early-bird masks of a training: where they are, when it stops for one, how they agree."""
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Union

from mmengine.runner import Runner

from mmlth.core import Ticket, early_bird, paths
from mmlth.core.errors import UserError
from mmlth.core.mask import Mask
from mmlth.core.similarity import MEASURED, chance_iou, group_iou, iou
from mmlth.core.steps import rewind_iteration
from mmlth.report import Figure, Series


def check_stop(stop: Mapping[str, Any]) -> None:
    """Raise a UserError unless ``stop`` has one of its two forms."""
    if set(stop) == {'at'}:
        rewind_iteration(stop['at'], 2**62, 1, what='EarlyBirdHook: stop at')     # its form
    elif (set(stop) - {'of'} != {'iou', 'patience'} or not 0 < stop['iou'] <= 1
          or stop['patience'] < 1 or stop.get('of', 'survivors') not in MEASURED):
        raise UserError(
            'EarlyBirdHook: stop must be like dict(iou=0.95, patience=3), iou in (0, 1] '
            "and patience at least 1, with of='survivors' or of='pruned', or dict(at='25%'), "
            f'got {dict(stop)}')


def stop_iteration(at: Union[str, int], rewind: Union[None, str, int], max_iters: int,
                   per_epoch: int) -> int:
    """The iteration that ``stop=dict(at=...)`` names, behind the rewind point.

    Args:
        at: What it says.
        rewind: When the rewind point is taken, as RewindHook's ``to``; None if it is not.
        max_iters: Of the training.
        per_epoch: Iterations of an epoch.

    Raises:
        UserError: There is no such iteration, or the rewind point comes later.
    """
    end = rewind_iteration(at, max_iters, per_epoch, what='EarlyBirdHook: stop at')
    first = 1 if rewind is None else max(1, rewind_iteration(rewind, max_iters, per_epoch))
    if end < first:
        raise UserError(
            f'EarlyBirdHook: stop=dict(at={at!r}) ends the training after {end} iterations, '
            + (f'before the rewind point, {rewind!r}' if end else 'before it begins')
            + "; choose a later point (before the training, PruneHook(at='start') draws masks)")
    return end


def found_early(runner: Runner) -> Optional[Ticket]:
    """The mask with which a hook has ended the training, if one has."""
    found = (hook.found_mask(runner) for hook in runner.hooks if hasattr(hook, 'found_mask'))
    return next((ticket for ticket in found if ticket is not None), None)


def folder_of(runner: Runner) -> Path:
    """Where a training's candidates are kept."""
    return Path(runner.work_dir) / paths.EARLY_BIRD


def scalars_of(mask: Mask, previous: Mask) -> Dict[str, float]:
    """What the visualizer gets of two candidates in a row."""
    scalars = {}
    for of in MEASURED:
        end = early_bird.suffix(of)
        scalars.update({
            f'early_bird/iou_previous{end}': iou(mask, previous, of),
            f'early_bird/chance{end}': chance_iou(mask, previous, of),
            **{f'early_bird/iou_previous{end}/{group}': value
               for group, value in group_iou(mask, previous, of).items()}})
    return scalars


def early_bird_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The agreement of early masks with the final one (the paper, Fig. 2f).

    Args:
        rows: From :func:`mmlth.core.early_bird.curve`; those that an older version wrote have
            nothing of the pruned.
    """
    at = [row['iteration'] for row in rows]
    lines = {f'{of}, {label}': f'{key}{early_bird.suffix(of)}' for of in MEASURED
             for label, key in (('with the final mask', 'iou_final'),
                                ('with the mask before', 'iou_previous'),
                                ('chance, random masks', 'chance'))}
    return Figure(
        'early_bird', 'lines', 'Masks drawn in round 0.', 'iteration', 'IoU',
        [Series(label, at, [row[key] for row in rows]) for label, key in lines.items()
         if key in rows[0]])
