"""Tell what a training that goes on from a checkpoint has lost."""
from typing import Any, Dict, Iterator, Optional, Tuple

from mmengine.dist import master_only
from mmengine.hooks import (CheckpointHook, EMAHook, Hook, IterTimerHook, LoggerHook,
                            ParamSchedulerHook, RuntimeInfoHook, SyncBuffersHook)
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmlth.registry import HOOKS

from ..runners import bare_model

Attributes = Dict[str, Any]

# Their attributes are saved by other ways, or are of no account in training.
_KNOWN = (CheckpointHook, EMAHook, IterTimerHook, LoggerHook, ParamSchedulerHook,
          RuntimeInfoHook, SyncBuffersHook)
_LONGEST = 16       # of a list of values that is compared


@HOOKS.register_module()
class UnsavedHook(Hook):
    """Warn of what other hooks keep in attributes, which no checkpoint holds.

    mmengine saves tensors, schedulers and the message hub. A hook may also count in itself
    (EarlyStoppingHook), or set an attribute of the model or the data set at one epoch
    (YOLOXPoseModeSwitchHook, RTMOModeSwitchHook): a training that goes on from a rewind point,
    or after an interruption, begins with their initial values. Every checkpoint notes, under
    ``mmlth``, the plain attributes of hooks, modules and train data sets that have changed since
    the start. Those that are back at their initial value when the first iteration begins are
    named in one warning; what a hook has set anew by then (MMDetection's PipelineSwitchHook and
    YOLOXModeSwitchHook do) is not. A :class:`LotteryRunner` adds the hook to every round.

    Note:
        LOWEST priority: it looks at what all others have done.
    """
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.initial: Attributes = {}
        self.loaded: Optional[Attributes] = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read what had changed by then."""
        if runner._resume:
            self.loaded = checkpoint.get('mmlth', {}).get('attributes')

    def before_train(self, runner: Runner) -> None:
        """Note the initial values."""
        self.initial = attributes(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save what has changed."""
        changed = {key: value for key, value in attributes(runner).items()
                   if key in self.initial and value != self.initial[key]}
        # A checkpoint saved before the first iteration is as the one that was loaded.
        checkpoint.setdefault('mmlth', {})['attributes'] = {**(self.loaded or {}), **changed}

    def before_train_iter(self, runner: Runner, batch_idx: int,
                          data_batch: DATA_BATCH = None) -> None:
        """Compare, once."""
        if self.loaded:
            warn(runner, self.loaded, self.initial)
        self.loaded = None


@master_only
def warn(runner: Runner, loaded: Attributes, initial: Attributes) -> None:
    """Name what is at its initial value again."""
    now = attributes(runner)
    lost = [f'{key} was {value!r}, is {now[key]!r}' for key, value in loaded.items()
            if key in now and now[key] == initial.get(key) != value]
    if lost:
        runner.logger.warning(
            f'This training goes on at iteration {runner.iter} from a checkpoint that does not '
            f'hold {"; ".join(lost[:5])}{"; ..." if len(lost) > 5 else ""}. If that matters, it is '
            "not the training that it continues: for tickets, take RewindHook(schedule='restart') "
            'or an earlier point.')


def attributes(runner: Runner) -> Attributes:
    """The plain attributes of hooks, modules and train data sets: dotted name -> value.

    Of others of a hook the class.
    """
    found: Attributes = {}
    for name, thing in things(runner):
        for key, value in vars(thing).items():
            if is_plain(value) and key != 'training':
                found[f'{name}.{key}'] = list(value) if isinstance(value, tuple) else value
            elif isinstance(thing, Hook):   # a queue that is made one day, for one
                found[f'{name}.{key}'] = f'<{type(value).__name__}>'
    return found


def things(runner: Runner) -> Iterator[Tuple[str, Any]]:
    """What may keep something from one iteration to the next, with a name."""
    for hook in runner.hooks:
        ours = type(hook).__module__.startswith('mmlth.')
        if type(hook) not in _KNOWN and not ours:
            yield type(hook).__name__, hook
    for name, module in bare_model(runner.model).named_modules():
        yield f'model.{name}' if name else 'model', module
    dataset, name = runner.train_dataloader.dataset, 'dataset'
    while dataset is not None:
        yield name, dataset
        dataset, name = getattr(dataset, 'dataset', None), f'{name}.dataset'


def is_plain(value: Any) -> bool:
    """Whether it is a number, a text or the like, or a short list of such."""
    if isinstance(value, (list, tuple)):
        return len(value) <= _LONGEST and all(
            item is None or type(item) in (bool, int, float, str) for item in value)
    return value is None or type(value) in (bool, int, float, str)
