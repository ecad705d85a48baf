"""From the config of a lottery to the config of each round, an ordinary training."""
import copy
from pathlib import Path
from typing import Optional

from mmengine.config import Config, ConfigDict

from mmlth.core import paths


def hook_config(cfg: Config, name: str) -> Optional[ConfigDict]:
    """The config of one of our hooks, in ``default_hooks`` or ``custom_hooks``."""
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
    return next((hook for hook in hooks if _is(hook, name)), None)


def without_hooks(cfg: Config, *names: str) -> None:
    """Remove our hooks of these names from the config."""
    for key, hook in list((cfg.get('default_hooks') or {}).items()):
        if any(_is(hook, name) for name in names):
            cfg.default_hooks.pop(key)
    if cfg.get('custom_hooks'):
        cfg.custom_hooks = [hook for hook in cfg.custom_hooks
                            if not any(_is(hook, name) for name in names)]


def round_config(cfg: Config, work_dir, round_index: int, rounds: int) -> Config:
    """The config of one round.

    Round 0 trains dense and saves the rewind point; every round but the last draws
    the next ticket; every round but the first trains its ticket, from the rewind point
    with ``schedule='resume'``, else from the start of the schedule.

    Args:
        cfg: The lottery's config.
        work_dir: The lottery's work dir.
        round_index: Which round, from 0.
        rounds: Number of the last round.
    """
    work_dir, cfg = Path(work_dir), copy.deepcopy(cfg)
    cfg.pop('runner_type', None)
    folder = paths.round_dir(work_dir, round_index)
    rewind_point = paths.round_dir(work_dir, 0) / paths.REWIND
    cfg.work_dir = str(folder)
    # Two Runners of one name in one second would share a message hub.
    cfg.experiment_name = f'{Path(cfg.filename or "lottery").stem}_round_{round_index}'
    rewind = hook_config(cfg, 'RewindHook')
    resume = rewind.get('schedule') == 'resume'
    if round_index < rounds:
        hook_config(cfg, 'PruneHook').update(
            round=round_index,
            rewind=None if rewind.get('mode') == 'lr' else str(rewind_point),
            out=str(paths.round_dir(work_dir, round_index + 1) / paths.TICKET))
    else:
        without_hooks(cfg, 'PruneHook')
    if round_index > 0:
        without_hooks(cfg, 'RewindHook', 'EarlyBirdHook', 'TicketHook')
        cfg.setdefault('default_hooks', ConfigDict())['ticket'] = ConfigDict(
            type='mmlth.TicketHook', ticket=str(folder / paths.TICKET))
        cfg.load_from = str(rewind_point) if resume else None
        cfg.resume = resume
    if (folder / 'last_checkpoint').exists():   # this round was interrupted
        cfg.load_from, cfg.resume = None, True
    elif round_index == 0:
        cfg.resume = False
    return cfg


def evaluation_config(cfg: Config) -> Config:
    """The config for an ordinary Runner that only evaluates."""
    cfg = copy.deepcopy(cfg)
    cfg.pop('runner_type', None)
    without_hooks(cfg, 'PruneHook', 'RewindHook', 'EarlyBirdHook', 'TicketHook')
    return cfg


def _is(hook, name: str) -> bool:
    if not isinstance(hook, dict):
        return False
    kind = hook.get('type')     # a class in MMEngine's pure Python configs
    return getattr(kind, '__name__', kind) in (name, f'mmlth.{name}')
