"""Make a resumed training the uninterrupted one, bit for bit."""
from typing import Any, Dict, Iterator, Optional

import mmengine
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner, set_random_seed
from mmengine.utils import digit_version

from mmlth.core.random_state import random_state, set_random_state
from mmlth.registry import HOOKS

# Until then an iteration-based loop that is resumed began with the first batch again.
_LOOPS_REPLAY = digit_version(mmengine.__version__) >= digit_version('0.10.3')


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Save the random state with every checkpoint and put it back on resume.

    mmengine saves the seed alone: a resumed training draws other augmentations, samples
    and dropout than the uninterrupted one. The state rides in the checkpoint under
    ``mmlth``. Validation leaves no trace in it, because a resumed training does not
    repeat the validation before its checkpoint; every validation starts from the seed, so
    that one run again has the same metrics. A :class:`LotteryRunner` adds the hook to
    every round; it works under a stock ``Runner`` too.

    Args:
        seed: What a training that starts from a rewind point is seeded with. Default:
            None, it goes on with the rewind point's random state, so that the noise of
            the dense training repeats.
        noise: What the order of data, augmentation and dropout of this training are seeded with,
            from its start on and wherever that is. The model is built and initialised, and
            validated, as without. Under a :class:`RoundRunner` alone, which builds the loader
            for it. Default: None, with what all else is seeded with.

    Note:
        Exact for one process; in distributed training each rank keeps mmengine's seeds. With
        ``persistent_workers`` an epoch-based loader keeps random state in its workers,
        which nobody can save. LOWEST priority: nothing draws after it.
    """
    priority = 'LOWEST'

    def __init__(self, seed: Optional[int] = None, noise: Optional[int] = None):
        self.seed = seed
        self.noise = noise
        self.loaded: Optional[Dict[str, Any]] = None
        self.before_validation: Optional[Dict[str, Any]] = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the state that the next iteration begins with.

        Within a validation (a best checkpoint) that is the one before it; in a resumed training
        that has not gone on yet, the one still to be put back.
        """
        checkpoint.setdefault('mmlth', {})['random_state'] = (
            self.loaded or self.before_validation or random_state())

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read it; it is put back once the data are where they were."""
        if not runner._resume or get_world_size() > 1:
            return
        own = self.seed is not None or self.noise is not None
        if not own or not checkpoint.get('meta', {}).get('rewind_point'):
            self.loaded = checkpoint.get('mmlth', {}).get('random_state')

    def before_train(self, runner: Runner) -> None:
        """Have an iteration-based loop put the state back after its replay of the data."""
        if self.noise is not None and self.loaded is None:
            set_random_seed(self.noise, diff_rank_seed=runner._randomness_cfg.get(
                'diff_rank_seed', False))
        elif self.seed is not None and self.loaded is None and runner.iter:
            set_random_seed(self.seed)      # resuming has set the rewind point's seed
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop):
            return
        needed = 0 if runner.iter >= runner.max_iters else runner.iter
        if not _LOOPS_REPLAY:
            for _ in range(needed):
                next(loop.dataloader_iterator)
        if self.loaded is not None:
            loop.dataloader_iterator = _Replay(
                loop.dataloader_iterator, needed, runner.iter if _LOOPS_REPLAY else 0,
                self.loaded)

    def before_train_epoch(self, runner: Runner) -> None:
        """Put the state back in an epoch-based loop, which resumes between epochs."""
        if self.loaded is not None and isinstance(runner.train_loop, EpochBasedTrainLoop):
            set_random_state(self.loaded)
        self.loaded = None

    def before_val(self, runner: Runner) -> None:
        """Note the state and start from the seed."""
        self.before_validation = random_state()
        set_random_seed(runner.seed)

    def after_val(self, runner: Runner) -> None:
        """Put it back."""
        if self.before_validation is not None:
            set_random_state(self.before_validation)
        self.before_validation = None


class _Replay:
    """The batches of a resumed loop; between the replayed and the new ones, the random state.

    Args:
        batches: What yields batches from the first on.
        load: How many of the replayed ones have to be loaded to advance the sampler; none
            if no new ones follow.
        replayed: How many the loop replays.
        state: The random state after them.
    """

    def __init__(self, batches: Iterator[Any], load: int, replayed: int, state: Dict[str, Any]):
        self.batches, self.load, self.replayed = batches, load, replayed
        self.state: Optional[Dict[str, Any]] = state

    def __iter__(self) -> '_Replay':
        return self

    def __next__(self) -> Any:
        if self.replayed > 0:
            self.replayed -= 1
            return next(self.batches) if self.load else None
        if self.state is not None:
            set_random_state(self.state)
            self.state = None
        return next(self.batches)
