"""A given checkpoint as the rewind point of a lottery: checked, and written as ``rewind.pth``."""
from pathlib import Path
from typing import Any, Dict, List, Tuple

import torch
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmlth.core.errors import UserError
from mmlth.core.files import whole_file
from mmlth.core.state import copied, with_versions

from .given import Given
from .reading import check_written, drop_unreadable
from .runners import bare_model

# What mmengine needs of a checkpoint to go on from it.
_NEEDED = ('optimizer', 'message_hub')
_RESTART = ("Set RewindHook(schedule='restart'), which trains the whole schedule from the weights "
            'of the point')


def check_resumable(point: Given) -> Tuple[int, int]:
    """The iteration and the epoch of a file from which a schedule can go on.

    Raises:
        UserError: It cannot, as far as the file tells.
    """
    iteration, epoch = point.count('iter'), point.count('epoch')
    missing = [key for key in _NEEDED if not isinstance(point.loaded.get(key), dict)]
    missing += [f'meta.{key}' for key, count in (('iter', iteration), ('epoch', epoch))
                if count is None]
    if missing or iteration is None or epoch is None:
        raise UserError(
            f"RewindHook(schedule='resume') goes on with the schedule at the rewind point, but "
            f'{point} has no {", ".join(missing)}: published files hold the weights alone. '
            f'{_RESTART}, or take a checkpoint that the training itself has saved.')
    followers = [s for s in _schedulers(point) if 'monitor' in s]
    if followers and not point.meta.get('rewind_point'):
        raise UserError(
            f"RewindHook(schedule='resume'): a scheduler of {point} follows the metric "
            f'{followers[0]["monitor"]!r}, and mmengine saves before the validation that belongs '
            f'to the checkpoint: its step is not in the file. {_RESTART}.')
    return iteration, epoch


def check_continues(point: Given, runner: Runner) -> None:
    """Raise a UserError unless this training's schedule can go on from the file."""
    iteration, epoch = check_resumable(point)
    if iteration >= runner.max_iters:
        raise UserError(
            f"RewindHook(schedule='resume'): {point} is of iteration {iteration}, this training "
            f'ends after {runner.max_iters}: nothing is left to train. {_RESTART}.')
    per_epoch = len(runner.train_dataloader)
    if isinstance(runner.train_loop, EpochBasedTrainLoop) and iteration != epoch * per_epoch:
        raise UserError(
            f"RewindHook(schedule='resume'): {point} is of iteration {iteration}, epoch {epoch}, "
            f'but here that epoch ends at iteration {epoch * per_epoch} ({per_epoch} in each): the '
            'file was saved inside an epoch, or trained with another batch size, number of '
            f'processes or data. {_RESTART}.')
    groups = [len(group['params']) for group in runner.optim_wrapper.optimizer.param_groups]
    found = [len(group['params']) for group in point.loaded['optimizer']['param_groups']]
    counts = len(runner.param_schedulers or []), len(_schedulers(point))
    if groups != found or counts[0] != counts[1]:
        raise UserError(
            f"RewindHook(schedule='resume'): the optimizer of {point} has {len(found)} parameter "
            f'groups of {sum(found)} parameters and {counts[1]} schedulers, that of this config '
            f'{len(groups)} of {sum(groups)} and {counts[0]}: give the optim_wrapper and '
            f'param_scheduler of that training. {_RESTART}.')


def _schedulers(point: Given) -> List[Dict[str, Any]]:
    return [s for s in point.loaded.get('param_schedulers') or [] if isinstance(s, dict)]


def write_point(point: Given, runner: Runner, path: Path) -> None:
    """Write the file as a rewind point, with the names that the model has today."""
    with whole_file(path) as part:
        torch.save(as_rewind_point(point, runner), part)
        check_written(part, path.name, runner.logger)
    runner.logger.info(f'Rewind point taken from {point}: {path.name}')


def as_rewind_point(point: Given, runner: Runner) -> Dict[str, Any]:
    """The content of ``rewind.pth``: all that the file holds, marked as a rewind point."""
    model = copied(bare_model(runner.model)).cpu()
    content = dict(point.loaded) if 'state_dict' in point.loaded else {}
    evaluated = point.load_average(model)
    content['state_dict'] = with_versions(
        {**evaluated.weights, **evaluated.extra}, model.state_dict())       # of today's names
    if point.average is not None:       # as mmengine saves them: swapped
        trained = point.load(model).weights
        content['ema_state_dict'] = {**content['ema_state_dict'], **{
            f'module.{name}': tensor for name, tensor in trained.items()}}
    told = {key: point.count(key) for key in ('iter', 'epoch') if point.count(key) is not None}
    content['meta'] = {**point.meta, **told, 'rewind_point': True}
    drop_unreadable(content)
    return content
