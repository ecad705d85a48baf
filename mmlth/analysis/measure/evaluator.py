"""A Runner that only evaluates, in a folder of its own."""
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Tuple, Union

from mmengine.config import Config
from mmengine.runner import BaseLoop

from mmlth.core.errors import UserError
from mmlth.engine.chain.round_runner import RoundRunner
from mmlth.engine.evaluation import evaluation_config


@contextmanager
def evaluator(cfg: Config, checkpoint: Union[str, Path]) -> Iterator[
        Tuple[RoundRunner, BaseLoop, str]]:
    """The Runner, its validation loop, or its test loop if it has no other, and which it is.

    Args:
        cfg: Of a round.
        checkpoint: Its weights.

    Raises:
        UserError: The config has neither loop; the data are not where it says, which may be found
            within.
    """
    name = 'val' if cfg.get('val_dataloader') else 'test'
    if not cfg.get(f'{name}_dataloader'):
        raise UserError('the config has no validation and no test loop')
    with tempfile.TemporaryDirectory() as folder:
        runner = RoundRunner.from_cfg(_only_evaluate(cfg, checkpoint, folder))
        try:
            yield runner, getattr(runner, f'{name}_loop'), name
        except OSError as error:
            raise UserError(
                f'the evaluation data are not where the config says ({_last_line(error)}; '
                f'relative paths start at {Path.cwd()}). Put them there, or analyse once '
                'where they are: what was evaluated is kept in the work dir.') from None


def _only_evaluate(cfg: Config, checkpoint: Union[str, Path], folder: str) -> Config:
    cfg = evaluation_config(cfg)
    cfg.load_from, cfg.resume, cfg.launcher = str(checkpoint), False, 'none'
    cfg.work_dir, cfg.log_level = folder, 'WARNING'
    if cfg.get('visualizer'):
        cfg.visualizer.pop('vis_backends', None)
    return cfg


def _last_line(error: OSError) -> str:
    """Without the traceback that a data loader's process puts before it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
