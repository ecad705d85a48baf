"""The Runner of one round: mmengine's, whose checkpoints a kill cannot damage."""
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Sequence, Tuple, Union

from mmengine.dist import master_only
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmengine.visualization import Visualizer
from torch.utils.data import DataLoader

from mmlth.core import paths
from mmlth.core import state as states
from mmlth.core.files import link, whole_file

from ..hooks import RandomStateHook
from ..reading import check_written, drop_unreadable, read_checkpoint
from ..runners import bare_model
from .resuming import (check_between_epochs, is_between_epochs, is_by_epoch,
                       warn_if_nothing_is_saved)


class RoundRunner(Runner):
    """An ordinary ``Runner`` that writes checkpoints whole or not at all.

    mmengine writes them in place, and with ``max_keep_ckpts`` removes the last one before
    the next is there: a kill in that moment costs the training. Here the newest one from which a
    training can go on is also kept as ``resume.pth``, a hard link, which takes no space. One that
    was saved without its optimizer, inside an epoch or to remote storage is none: then
    ``resume.pth`` is a file of its own, of that moment or of the epoch's end.

    It notes in ``ended_by`` the class of the hook that has ended the training before its
    schedule does (``stop_training``), and leaves a ``resume.pth`` of that end: resumed, the
    training is at its end again, whatever that hook has kept of it.

    It reads checkpoints as data (:mod:`mmlth.core.checkpoint_file`), the first one that it has
    written at once, so that what cannot be read is known before hours are spent.

    It shares nothing with another of its process. mmengine tells Runners apart by name and second,
    visualizers by the name in their config alone: two of one name would have one logger, message
    hub and visualizer, and write to the folder of the first, which may be gone. Here the second of
    a second gets ``_1`` after it, and a visualizer its Runner's name.
    """
    ended_by: Optional[str] = None
    checked = False
    _due = False        # something was saved since, but nothing to go on from
    _of_second: Counter = Counter()
    # mmengine's own.
    _timestamp: str
    _train_dataloader: Union[DataLoader, Dict[str, Any]]

    def setup_env(self, env_cfg: Dict[str, Any]) -> None:
        """As ``Runner.setup_env``; the timestamp is of this Runner alone."""
        super().setup_env(env_cfg)
        second = self._timestamp
        before = self._of_second[second]
        self._of_second[second] += 1
        self._timestamp = f'{second}_{before}' if before else second

    def build_visualizer(
            self, visualizer: Union[Visualizer, Dict[str, Any], None] = None) -> Visualizer:
        """As ``Runner.build_visualizer``, under this Runner's name."""
        if isinstance(visualizer, dict):
            visualizer = {key: value for key, value in visualizer.items() if key != 'name'}
        return super().build_visualizer(visualizer)

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """As ``Runner.call_hook``."""
        if fn_name == 'before_train' and self.ended_by:
            self.train_loop.stop_training = True
        if fn_name == 'after_train' and self.ended_by and 0 < self.iter < self.max_iters:
            self._save_resume(self.iter, self.epoch)    # mmengine writes none at such an end
        for hook in self.hooks:
            if hasattr(hook, fn_name):
                going_on = not self._stops
                try:
                    getattr(hook, fn_name)(self, **kwargs)
                except TypeError as error:
                    raise TypeError(f'{error} in {hook}') from None
                if going_on and self._stops:    # by a hook in a validation that this one runs
                    self.ended_by = self.ended_by or type(hook).__name__
        if self._due:
            self._save_due(fn_name)
        if fn_name == 'before_train' and not self._stops:
            warn_if_nothing_is_saved(self)
        if fn_name == 'before_save_checkpoint' and self.ended_by:
            kwargs['checkpoint'].setdefault('mmlth', {})['ended_by'] = self.ended_by
        if fn_name == 'after_load_checkpoint' and self._resume:
            checkpoint = kwargs['checkpoint']
            if not checkpoint.get('meta', {}).get('rewind_point'):
                self.ended_by = checkpoint.get('mmlth', {}).get('ended_by')

    def build_train_loop(self, loop: Union[BaseLoop, Dict[str, Any]]) -> BaseLoop:
        """As ``Runner.build_train_loop``; the data come in the order of the noise, if there is one.

        Samplers, and the workers that augment, get their seed where the loader is built. It is
        the same on all ranks.
        """
        noise = next((hook.noise for hook in self.hooks if isinstance(hook, RandomStateHook)), None)
        if noise is None or isinstance(loop, BaseLoop):
            return super().build_train_loop(loop)
        given = self._train_dataloader
        try:
            self._train_dataloader = self.build_dataloader(given, seed=noise)
            return super().build_train_loop(loop)
        finally:
            self._train_dataloader = given      # learning rates are scaled by its batch size

    @property
    def _stops(self) -> bool:
        """Whether the loop has been told to end; not every loop can be."""
        loop = self._train_loop     # a dict until it is built
        return isinstance(loop, BaseLoop) and getattr(loop, 'stop_training', False)

    def _save_due(self, fn_name: str) -> None:
        """Write the ``resume.pth`` that is due, where a training can go on."""
        if fn_name == 'after_train_epoch':      # an epoch-based loop counts it next
            self._save_resume(self.iter, self.epoch + is_by_epoch(self))
        elif fn_name == 'after_train_iter' and not is_by_epoch(self):
            self._save_resume(self.iter + 1, self.epoch)

    @master_only
    def _save_resume(self, iteration: int, epoch: int) -> None:
        """Write a ``resume.pth`` of its own: so many iterations and epochs are done."""
        with whole_file(Path(self.work_dir) / paths.RESUME) as part:
            super().save_checkpoint(
                str(part.parent), part.name, meta=dict(iter=iteration, epoch=epoch))
            self._check(part, paths.RESUME)
        self._due = False

    def _check(self, path: Path, name: str) -> None:
        if not self.checked:
            check_written(path, name, self.logger)
        self.checked = True

    def load_checkpoint(self, filename: str, map_location: Union[str, Callable] = 'cpu',
                        strict: bool = False,
                        revise_keys: Sequence[Tuple[str, str]] = ((r'^module\.', ''),)) -> dict:
        """As ``Runner.load_checkpoint``; a resumed model gets buffers as they were, too."""
        checkpoint = read_checkpoint(filename, map_location)
        lost = drop_unreadable(checkpoint)
        if self._resume:
            checkpoint.get('meta', {}).pop('config', None)      # Runner.resume would execute it
            if lost:
                self.logger.warning(f'{filename} has objects of unknown classes; the training '
                                    f'goes on without {", ".join(lost)}.')
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        if self._resume and not self.ended_by:
            check_between_epochs(self, checkpoint['meta'], filename)
        model = bare_model(self.model)
        if self._resume:
            states.fit_buffers(model, checkpoint['state_dict'])
        _load_checkpoint_to_model(model, checkpoint, strict, revise_keys=list(revise_keys))
        self._has_loaded = True
        self.logger.info(f'Load checkpoint from {filename}')
        return checkpoint

    @master_only
    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """As ``Runner.save_checkpoint``."""
        meta = kwargs['meta'] = dict(kwargs.get('meta') or {})     # which mmengine fills
        path, remote = Path(out_dir) / filename, '://' in str(out_dir)
        rewind_point = meta.get('rewind_point')     # the RewindHook looks at its own
        if remote:      # such storage writes whole objects by itself
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
        else:
            with whole_file(path) as part:
                super().save_checkpoint(str(part.parent), part.name, *args, **kwargs)
                if not rewind_point:
                    self._check(part, filename)
        if rewind_point:
            return
        whole = all(kwargs.get(key, True) for key in ('save_optimizer', 'save_param_scheduler'))
        self._due = remote or not whole or not is_between_epochs(self, meta)
        if not self._due:
            link(path, Path(self.work_dir) / paths.RESUME)
