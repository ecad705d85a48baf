"""Take given checkpoints into a Runner that trains nothing: what hooks do with them in round 0."""
import warnings
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from mmengine.dist import is_main_process
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from mmlth.core.errors import UserError

from .given import Given, read_given
from .point import check_continues, write_point
from .ranks import together
from .runners import bare_model, ema_copies


def take_dense(address: str, runner: Runner) -> Dict[str, Any]:
    """Make a checkpoint the trained model of a Runner, as at the end of its training.

    On every rank. The model gets the trained weights, EMA copies the average, which is evaluated.

    Returns:
        dict: :meth:`~mmlth.engine.given.Given.note`, and the ``learning_rates`` at which that
        training ended, one per parameter group; None if neither the file nor the schedule says.

    Raises:
        UserError: It is another model's, or has an average and this Runner takes none.
    """
    given = read_given(address)
    copies = ema_copies(runner)
    check_average(given, bool(copies))
    for copy in copies:
        given.load_average(copy)
    given.load(bare_model(runner.model))
    warn_of_classes(given, runner)
    runner.logger.info(
        f'The dense model is {given}, trained elsewhere. {copies_text(given, copies)}')
    rates = given.learning_rates
    groups = runner.optim_wrapper.optimizer.param_groups
    if rates is None or len(rates) != len(groups):
        rates = last_learning_rates(runner)
    return dict(given.note(), learning_rates=rates)


def take_point(address: str, runner: Runner, name: str, resumes: bool) -> Optional[int]:
    """Write a checkpoint as the rewind point; return its iteration, None if it is not told.

    On every rank; rank 0 writes.

    Args:
        address: Of the checkpoint.
        runner: Of round 0.
        name: The file's name in the work dir.
        resumes: Whether the schedule is to go on from there.
    """
    point = read_given(address)
    if resumes:
        check_continues(point, runner)
    with together():
        if is_main_process():
            write_point(point, runner, Path(runner.work_dir) / name)
    return point.iterations


def check_average(given: Given, averages: bool) -> None:
    """Raise a UserError for an average in the file where the config averages nothing."""
    if given.average is not None and not averages:
        raise UserError(
            f'{given} holds weights and their moving average, but this config has no EMAHook: its '
            'tickets would be trained otherwise than the dense model. Add the EMAHook of that '
            'training to custom_hooks; or give a file of the average alone, as '
            "MMDetection's tools/model_converters/publish_model.py makes one.")


def copies_text(given: Given, averages: Sequence[nn.Module]) -> str:
    """Which copy of the weights is taken for what."""
    if given.average is not None:
        return ('It holds the trained weights and their moving average: masks are drawn of the '
                'former, the latter is evaluated.')
    if averages:
        return ('It holds one copy of the weights, which is taken for the trained ones and for '
                'their moving average.')
    return 'It holds one copy of the weights.'


def warn_of_classes(given: Given, runner: Runner) -> None:
    """Of another order of classes the metrics would be those of a model that mixes them up."""
    told = given.meta.get('dataset_meta')
    told = (told if isinstance(told, dict) else {}).get('classes') or given.meta.get('CLASSES')
    own = (getattr(runner.train_dataloader.dataset, 'metainfo', None) or {}).get('classes')
    if told and own and list(told) != list(own):
        runner.logger.warning(
            f'{given} was trained on the classes {_listed(told)}, the data of this config have '
            f'{_listed(own)}: does the model know what it is to find?')


def last_learning_rates(runner: Runner) -> Optional[List[float]]:
    """Those at which the config's schedule ends; None where one follows a metric.

    The optimizer is left with them.
    """
    schedulers = runner.param_schedulers or []
    if any(hasattr(scheduler, 'monitor') for scheduler in schedulers):
        return None
    epoch = (len(runner.train_dataloader) if isinstance(runner.train_loop, EpochBasedTrainLoop)
             else runner.max_iters)
    with warnings.catch_warnings():     # that the optimizer has made no step
        warnings.simplefilter('ignore')
        for iteration in range(1, runner.max_iters + 1):
            for scheduler in schedulers:
                if not scheduler.by_epoch or iteration % epoch == 0:
                    scheduler.step()
    return [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups]


def _listed(classes: Sequence[str]) -> str:
    return f'{", ".join(map(str, list(classes)[:5]))}{", ..." if len(classes) > 5 else ""}'
