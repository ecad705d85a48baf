"""Where an interrupted round can go on, and whether there will be such a place."""
from typing import Any, Mapping

from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmlth.core.errors import UserError


def is_by_epoch(runner: Runner) -> bool:
    """Whether mmengine resumes its training at the beginning of an epoch alone."""
    return isinstance(runner.train_loop, EpochBasedTrainLoop)


def is_between_epochs(runner: Runner, meta: Mapping[str, Any]) -> bool:
    """Whether a training can go on from a checkpoint, as it was.

    Args:
        runner: Of the training.
        meta: Of the checkpoint: the iterations and epochs that are done.
    """
    return not is_by_epoch(runner) or (
        meta['iter'] == meta['epoch'] * len(runner.train_dataloader))


def check_between_epochs(runner: Runner, meta: Mapping[str, Any], path: str) -> None:
    """Raise a UserError for a checkpoint inside an epoch, which earlier versions went on from."""
    if not is_between_epochs(runner, meta):
        raise UserError(
            f'{path} was saved inside an epoch (iteration {meta["iter"]}; {meta["epoch"]} epochs '
            f'of {len(runner.train_dataloader)} are done), which mmengine would repeat from its '
            'start: that would be another training. Remove the file and start with --resume: the '
            'round then begins anew.')


def warn_if_nothing_is_saved(runner: Runner) -> None:
    """Warn of a training that cannot go on where it was interrupted."""
    hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
    if not any(_saves_on_the_way(hook, runner) for hook in hooks):
        runner.logger.warning(
            'No CheckpointHook saves anything before the end of this training: if it is '
            'interrupted, --resume begins it anew. (default_hooks.checkpoint: set its interval.)')


def _saves_on_the_way(hook: CheckpointHook, runner: Runner) -> bool:
    if hook.save_best and runner.val_loop is not None:
        return True
    if not hook.by_epoch:
        return 0 < hook.interval < runner.max_iters
    return is_by_epoch(runner) and 0 < hook.interval < runner.max_epochs
