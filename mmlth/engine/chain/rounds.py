"""From the config of a lottery to the config of each round, an ordinary training."""
import copy
from pathlib import Path
from typing import Any, Mapping, Optional

from mmengine.config import Config, ConfigDict

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.steps import rewind_iteration

from ..afresh import start_afresh
from ..hook_configs import build_hook, drop_hooks, find_hook
from ..hooks import EarlyBirdHook, PruneHook, RewindHook, TicketHook


def round_config(cfg: Config, work_dir, round_index: int, rounds: int, seed: int) -> Config:
    """The config of one round.

    Round 0 trains dense and saves the rewind point; every round but the last draws
    the next ticket; every round but the first trains its ticket, from the rewind point
    with ``schedule='resume'``, else from the start of the schedule.

    Args:
        cfg: The lottery's config.
        work_dir: The lottery's work dir.
        round_index: Which round, from 0.
        rounds: Number of the last round.
        seed: The lottery's seed.
    """
    work_dir, cfg = Path(work_dir), copy.deepcopy(cfg)
    drop_chain(cfg)
    drop_hooks(cfg)     # those that are None
    folder = paths.round_dir(work_dir, round_index)
    cfg.work_dir = str(folder)
    # Two Runners of one name in one second would share a message hub.
    cfg.experiment_name = f'{Path(cfg.filename or "lottery").stem}_round_{round_index}'
    # And of one name a visualizer: a round would log into the folder of the one before.
    (cfg.get('visualizer') or {}).pop('name', None)
    rewind, prune = build_hook(cfg, RewindHook).given, build_hook(cfg, PruneHook).given
    if not rewind['random_state']:
        seed += round_index
    afresh = prune['control'] == 'fresh_weights' and round_index == rounds
    if afresh:
        seed += 1
    cfg.randomness = {**(cfg.get('randomness') or {}), 'seed': seed}
    keep_exact(cfg, None if rewind['random_state'] else seed)
    if round_index < rounds:
        rewound = rewind['mode'] == 'weights' and prune['control'] != 'dense'
        find_hook(cfg, PruneHook).update(
            round=round_index,
            rewind=str(rewind_path(work_dir)) if rewound else None,
            out=str(paths.round_dir(work_dir, round_index + 1) / paths.TICKET))
    else:
        drop_hooks(cfg, PruneHook)
    if round_index > 0:
        _start_from_ticket(cfg, work_dir, folder, rewind)
        if afresh:
            start_afresh(cfg)
    if (folder / paths.RESUME).exists():    # this round was interrupted
        cfg.load_from, cfg.resume = str(folder / paths.RESUME), True
    elif round_index == 0:
        cfg.resume = False
    return cfg


def keep_exact(cfg: Config, seed: Optional[int] = None) -> None:
    """Add the hooks that make a training exact that goes on from a checkpoint, or warn.

    Args:
        cfg: Of the training.
        seed: See :class:`RandomStateHook`. Default: None.
    """
    cfg.default_hooks = cfg.get('default_hooks') or {}
    hooks = cfg.default_hooks
    hooks['random_state'] = ConfigDict(type='mmlth.RandomStateHook', seed=seed)
    hooks['gradients'] = ConfigDict(type='mmlth.GradientHook')
    hooks['unsaved'] = ConfigDict(type='mmlth.UnsavedHook')


def rewind_path(work_dir) -> Path:
    """The rewind point of a lottery."""
    return paths.round_dir(work_dir, 0) / paths.REWIND


def evaluation_config(cfg: Config) -> Config:
    """The config for an ordinary Runner that only evaluates."""
    cfg = copy.deepcopy(cfg)
    drop_chain(cfg)
    drop_hooks(cfg, PruneHook, RewindHook, EarlyBirdHook, TicketHook)
    return cfg


def drop_chain(cfg: Config) -> None:
    """Remove what is the LotteryRunner's alone."""
    for key in ('runner_type', 'latency'):
        cfg.pop(key, None)


def shorten(cfg: Config, length: str) -> None:
    """Let the training of ``cfg`` take ``length`` ('2000it', '2ep' or '20%' of what it is).

    Raises:
        UserError: The loop does not count in that unit, or the length is 0 or too long.
    """
    loop = cfg.train_cfg
    key, unit = ('max_epochs', 'ep') if loop.get('max_epochs') else ('max_iters', 'it')
    if not length.endswith((unit, '%')):
        raise UserError(
            f"RewindHook: length={length!r}, but this training is counted in {key}: give it as "
            f"'5{unit}' or as '20%'")
    # One "iteration" per epoch makes the same form count epochs.
    count = rewind_iteration(length, loop[key], 1)
    if count < 1:
        raise UserError(f'RewindHook: length={length!r} is nothing of {loop[key]} {key}')
    loop[key] = count
    if loop.get('val_interval'):
        loop.val_interval = min(loop.val_interval, count)


def _start_from_ticket(cfg: Config, work_dir: Path, folder: Path,
                       rewind: Mapping[str, Any]) -> None:
    """Train the round's ticket, with the weights and the schedule that ``rewind`` says."""
    drop_hooks(cfg, RewindHook, EarlyBirdHook, TicketHook)
    ticket = ConfigDict(type='mmlth.TicketHook', ticket=str(folder / paths.TICKET))
    cfg.default_hooks['ticket'] = ticket
    finetune = rewind['mode'] == 'finetune'
    resume = rewind['schedule'] == 'resume' and not finetune
    cfg.load_from = str(rewind_path(work_dir)) if resume else None
    cfg.resume = resume
    if finetune:
        ticket['last_learning_rate'] = True
        cfg.param_scheduler = []
        shorten(cfg, rewind['length'])
