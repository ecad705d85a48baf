"""From the config of a lottery to the config of each round, an ordinary training."""
import copy
from pathlib import Path
from typing import Any, Dict, Optional

from mmengine.config import Config, ConfigDict
from mmengine.hooks import CheckpointHook, LoggerHook

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath
from mmlth.core.random_state import noise_seed

from ..evaluation import drop_chain
from ..hook_configs import arguments_of, class_of, default_hooks, drop_hooks, hooks_of
from ..hooks import (EarlyBirdHook, GradientHook, PruneHook, RandomStateHook, RewindHook,
                     TicketHook, UnsavedHook)
from .lottery_spec import LotterySpec, needed_hook

# What a round is given under these names of ``default_hooks``.
_EXACT = dict(random_state=RandomStateHook, gradients=GradientHook, unsaved=UnsavedHook)
_OWN = dict(_EXACT, ticket=TicketHook)


def check_names(cfg: Config) -> None:
    """Raise a UserError for a default hook that has the name of one of a round's own."""
    for name, kind in _OWN.items():
        hook = (cfg.get('default_hooks') or {}).get(name)
        found = class_of(cfg, hook)
        if hook is not None and (found is None or not issubclass(found, kind)):
            raise UserError(
                f'default_hooks.{name} is the name of the {kind.__name__} that a lottery adds: '
                'give this hook another name, or put it into custom_hooks')


def round_config(cfg: Config, spec: LotterySpec, work_dir: AnyPath, round: int,
                 seed: int) -> Config:
    """The config of one round.

    Round 0 trains dense and saves the rewind point; every round but the last draws
    the next ticket; every round but the first trains its ticket, from the rewind point
    with ``schedule='resume'``, else from the start of the schedule.

    Args:
        cfg: The lottery's config.
        spec: What its hooks are set to.
        work_dir: The lottery's work dir.
        round: Which round, from 0.
        seed: The lottery's seed.
    """
    work_dir, cfg = Path(work_dir), copy.deepcopy(cfg)
    drop_chain(cfg)
    drop_hooks(cfg)     # those that are None
    folder = paths.round_dir(work_dir, round)
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'{Path(cfg.filename or "lottery").stem}_round_{round}'
    place_point(cfg)
    place_outputs(cfg, work_dir.name)
    start = spec.start(round) if round > 0 else None
    # The last round's alone: children of one ticket.
    noise = None if spec.rewind.noise is None or round < spec.rounds else (
        noise_seed(seed, spec.rewind.noise))
    if not spec.rewind.random_state:
        seed += round
    if start is not None and start.initialises:
        seed += 1
    cfg.randomness = {**(cfg.get('randomness') or {}), 'seed': seed}
    keep_exact(cfg, None if spec.rewind.random_state else seed, noise)
    if round < spec.rounds:
        given, _ = needed_hook(cfg, PruneHook)
        given.update(place_in_chain(spec, work_dir, round))
    else:
        drop_hooks(cfg, PruneHook)
    if start is None and spec.prune.given is not None:
        take_given(cfg, spec)
    if start is not None:
        drop_hooks(cfg, RewindHook, EarlyBirdHook, TicketHook)
        cfg.default_hooks['ticket'] = ConfigDict(
            type='mmlth.TicketHook', ticket=str(folder / paths.TICKET))
        update = spec.prune.ticket_update()
        if update is not None:
            cfg.default_hooks['ticket']['update'] = ConfigDict(update)
        start.adapt(cfg, spec.rewind, rewind_path(work_dir))
    if (folder / paths.RESUME).exists():    # this round was interrupted
        cfg.load_from, cfg.resume = str(folder / paths.RESUME), True
    elif round == 0:
        cfg.resume = False
    return cfg


def take_given(cfg: Config, spec: LotterySpec) -> None:
    """Of a round 0 that is given: nothing is trained, saved on the way, or loaded but that."""
    cfg.load_from = None
    cfg.default_hooks.checkpoint = None
    if spec.rewind.point is None:   # else it would save the end of the training as the point
        drop_hooks(cfg, RewindHook)


def place_point(cfg: Config) -> None:
    """Let the RewindHook save its point where the chain looks for it, whatever its ``out`` says."""
    given, hook = needed_hook(cfg, RewindHook)
    if hook.out != paths.REWIND:
        given.out = paths.REWIND


def place_outputs(cfg: Config, name: str) -> None:
    """Give this lottery a folder of its own where hooks write that have an ``out_dir``.

    There mmengine makes one per Runner, called like its work dir: ``round_0`` of every lottery.

    Args:
        cfg: Of the round.
        name: The folder's, as the lottery's work dir is called.
    """
    for kind in (CheckpointHook, LoggerHook):
        for hook in hooks_of(cfg, kind):
            if isinstance(hook, dict) and hook.get('out_dir'):
                hook['out_dir'] = f'{str(hook["out_dir"]).rstrip("/")}/{name}'


def place_in_chain(spec: LotterySpec, work_dir: AnyPath, round: int) -> Dict[str, Any]:
    """The arguments of a PruneHook that say where it stands in the chain.

    Args:
        spec: Of the lottery.
        work_dir: The lottery's.
        round: Whose training it ends.
    """
    rewinds, mode = spec.start(round + 1).rewinds, spec.rewind.mode
    place = dict(round=round, rewind=str(rewind_path(work_dir)) if rewinds else None,
                 out=str(paths.round_dir(work_dir, round + 1) / paths.TICKET))
    # Later rounds have no RewindHook.
    if rewinds and mode != arguments_of(RewindHook)['mode']:
        place['start'] = mode
    return place


def keep_exact(cfg: Config, seed: Optional[int] = None, noise: Optional[int] = None) -> None:
    """Add the hooks that make a training exact that goes on from a checkpoint, or warn.

    Args:
        cfg: Of the training.
        seed, noise: See :class:`RandomStateHook`. Default: None.
    """
    drop_hooks(cfg, *_EXACT.values())
    hooks = default_hooks(cfg)
    hooks['random_state'] = ConfigDict(type='mmlth.RandomStateHook', seed=seed, noise=noise)
    hooks['gradients'] = ConfigDict(type='mmlth.GradientHook')
    hooks['unsaved'] = ConfigDict(type='mmlth.UnsavedHook')


def rewind_path(work_dir: AnyPath) -> Path:
    """The rewind point of a lottery."""
    return paths.round_dir(work_dir, 0) / paths.REWIND
