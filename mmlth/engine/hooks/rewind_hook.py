"""Save the rewind point."""
from pathlib import Path
from typing import Mapping, Optional, Union

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.files import whole_file
from mmlth.core.steps import rewind_iteration
from mmlth.registry import HOOKS

from ..ranks import on_rank_0
from ..reading import check_written
from ..specs import RewindSpec
from ..taking import take_point


@HOOKS.register_module()
class RewindHook(Hook):
    """Save the point that tickets are rewound to: ``rewind.pth`` in the work dir.

    The file is an ordinary mmengine checkpoint with weights, batch-norm statistics,
    optimizer and schedulers (late resetting: Frankle et al. 2019; the paper, 4.3). It is
    the state in which the next iteration begins: a point at the end of an epoch is that
    of the finished epoch, by-epoch schedulers included, and a validation that belongs to the
    point is behind it. A resumed training that has passed the point keeps the file that
    is there.

    Args:
        to: When: ``'600it'`` or 600 (iterations), ``'2ep'`` (epochs), ``'5%'`` of the
            training; ``'0it'`` is the initialisation. Default: ``'0it'``.
        mode: What is rewound: ``'weights'``, the weights and the schedule, or ``'lr'``, the
            schedule alone, so that a ticket goes on from its trained weights (Renda et
            al. 2020; the paper's released code does this, because its snapshot of the
            weights is a reference to the live ones), or ``'finetune'``, nothing: the ticket
            goes on from its trained weights with the last learning rates (Han et al. 2015); or
            ``'signs'``, the schedule and the weights' signs, times the standard deviation of each
            layer (Zhou et al. 2019). A start of one's own: the name of a
            :class:`~mmlth.engine.starts.Start` that a module of ``custom_imports`` has registered,
            ``'package.module.Name'``, or ``dict(type=..., **arguments)``. Default: ``'weights'``.
        schedule: What later rounds run: ``'restart'``, the whole schedule again from
            the start weights, or ``'resume'``, the schedule from the rewind point
            on, with the optimizer's state (Frankle et al.). Default: ``'restart'``.
        length: How long ``mode='finetune'`` trains each ticket: ``'2000it'``, ``'2ep'``, or
            ``'20%'`` of the dense training. Default: None, for other modes.
        random_state: Rewind the random state and the order of the data too, so that the
            noise of the training repeats. ``False`` gives each round a seed of its own.
            Default: True.
        point: A checkpoint that the training of ``PruneHook(dense=CHECKPOINT)`` has saved early:
            it is the point, in place of ``to``, and nothing is trained for it. Default: None.
        out: The file's name in the work dir; a ``LotteryRunner`` sets it. Default:
            ``'rewind.pth'``.
        noise: The number of another SGD noise, 0, 1, 2, ...: the last round takes the order of
            its data, augmentation and dropout from a seed of that noise, and starts as without it,
            bit for bit: weights, optimizer, schedule and iteration. Two noises are two children of
            one rewind point (Frankle et al. 2020); with ``PruneHook(sparsity=0)`` they are dense.
            Default: None, the noise that ``random_state`` says.

    Note:
        VERY_LOW priority: schedulers and averages have stepped when the point is saved.
    """
    priority = 'VERY_LOW'

    def __init__(self, to: Union[str, int] = '0it',
                 mode: Union[str, Mapping, type] = 'weights',
                 schedule: str = 'restart', length: Optional[str] = None,
                 random_state: bool = True, point: Optional[str] = None,
                 out: str = paths.REWIND, noise: Optional[int] = None):
        self.given = dict(to=to, mode=mode, schedule=schedule, length=length,
                          random_state=random_state, noise=noise, point=point)
        self.spec = RewindSpec.parse(self.given)
        self.out = out
        self.iteration: Optional[int] = None
        self.by_epoch = False

    def before_train(self, runner: Runner) -> None:
        """Find the iteration; save at once if it is the initialisation, or there already."""
        if self.spec.point is not None:
            self.iteration = take_point(self.spec.point, runner, self.out, self.spec.resumes)
            return
        per_epoch = len(runner.train_dataloader)
        self.iteration = rewind_iteration(self.spec.to, runner.max_iters, per_epoch)
        self.by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        if self.spec.schedule == 'resume' and self.by_epoch and self.iteration % per_epoch:
            raise UserError(
                f"RewindHook: to={self.spec.to!r} is iteration {self.iteration}, inside an "
                f"epoch of {per_epoch} iterations; mmengine resumes an epoch-based "
                "training only between epochs. Choose to='1ep' or the like, "
                "schedule='restart', or an IterBasedTrainLoop.")
        if self.spec.resumes and self.iteration >= runner.max_iters:
            raise UserError(
                f"RewindHook(schedule='resume'): to={self.spec.to!r} is iteration "
                f'{self.iteration}, the end of the training: nothing is left to train. Choose an '
                "earlier point, or schedule='restart'.")
        path = Path(runner.work_dir) / self.out
        if runner.iter > self.iteration and not path.exists():
            raise UserError(
                f'RewindHook: the training resumes at iteration {runner.iter}, after the '
                f'rewind point ({self.spec.to!r}, iteration {self.iteration}), but there is no '
                f'{path}. Start the training anew.')
        if runner.iter == self.iteration:
            save_rewind_point(runner, self.out, self.iteration, runner.epoch)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None,
                         outputs: Optional[dict] = None) -> None:
        """Save the point inside an epoch, or of a training that has none."""
        done = runner.iter + 1
        ends_epoch = self.by_epoch and done % len(runner.train_dataloader) == 0
        if self.saves and done == self.iteration and not ends_epoch:
            save_rewind_point(runner, self.out, done, runner.epoch)

    def after_train_epoch(self, runner: Runner) -> None:
        """Save the point at the end of an epoch, which the loop has not counted yet."""
        if self.by_epoch and runner.iter == self.iteration:
            save_rewind_point(runner, self.out, self.iteration, runner.epoch + 1)

    def after_val(self, runner: Runner) -> None:
        """Save it again behind its validation: a metric may have moved a scheduler."""
        if self.saves and runner.iter == self.iteration:
            save_rewind_point(runner, self.out, self.iteration, runner.epoch)

    @property
    def saves(self) -> bool:
        """Whether it saves a point of this training."""
        return self.spec.point is None


def rewind_hook(runner: Runner) -> Optional[RewindHook]:
    """The training's RewindHook, if it has one."""
    return next((hook for hook in runner.hooks if isinstance(hook, RewindHook)), None)


@on_rank_0
def save_rewind_point(runner: Runner, name: str, iteration: int, epoch: int) -> None:
    """Write the rewind point as of ``iteration`` finished iterations, whole or not at all."""
    with whole_file(Path(runner.work_dir) / name) as part:
        runner.save_checkpoint(
            str(part.parent), part.name,
            meta=dict(iter=iteration, epoch=epoch, rewind_point=True))
        check_written(part, name, runner.logger)
    runner.logger.info(f'Rewind point of iteration {iteration} saved: {name}')
