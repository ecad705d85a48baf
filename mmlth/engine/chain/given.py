"""A lottery whose dense model is there already: what must hold, before anything runs."""
import logging
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.logging import print_log
from torch import nn

from mmlth.core import paths, select
from mmlth.core.errors import UserError
from mmlth.registry import STARTS

from ..given import Given, check_zeros, read_given
from ..hook_configs import find_hook
from ..model import build_model
from ..point import check_resumable
from ..reading import file_digest
from ..starts import Start
from ..taking import check_average
from ..types import name_of
from .lottery_spec import LotterySpec


def check_given(cfg: Config, spec: LotterySpec) -> None:
    """Raise a UserError unless a lottery can start from the checkpoints that it is given.

    A lottery that is resumed behind its round 0 has kept what it needs; the runs of a study are
    looked at before there are the files of others that they take.

    Args:
        cfg: The lottery's config.
        spec: What its hooks are set to.
    """
    dense, point = spec.prune.given, spec.rewind.point
    if dense is None:
        if point is not None:
            raise UserError(
                f'RewindHook(point={point!r}) is a point of a dense model that is there already: '
                'name it with PruneHook(dense=CHECKPOINT) (--dense); or leave the point out '
                '(--rewind), and set RewindHook(to=...) for the training to save its own')
        return
    check_settings(spec, dense)
    if cfg.get('resume') and (_dense_is_done(cfg) or not _are_here(dense, point)):
        return
    model, averages = build_model(cfg), find_hook(cfg, EMAHook) is not None
    trained = _check(dense, model, averages)
    if trained.meta.get('rewind_point'):
        raise UserError(f'{dense} is a rewind point, an early state of a training, not its end: '
                        'give it with --rewind (RewindHook(point=...)), and the trained model with '
                        '--dense')
    if trained.learning_rates is None and any(start.goes_on for start in _starts(spec)):
        _check_schedule(cfg, spec, trained)
    if point is not None:
        early = _check(point, model, averages)
        check_order(trained, early)
        if _resumes(spec):
            check_resumable(early)


def check_settings(spec: LotterySpec, dense: str) -> None:
    """Raise a UserError for settings that want of a training what only its end was kept of."""
    if spec.early_bird is not None:
        raise UserError(f'EarlyBirdHook watches the dense model train, but it is {dense}, trained '
                        'already: leave the hook out, or let round 0 train (dense=True)')
    if spec.rewind.point is not None:
        return
    if _resumes(spec):
        raise UserError(
            "RewindHook(schedule='resume') goes on with the optimizer and the schedulers of the "
            f'rewind point, which {dense}, the end of a training, does not have. Give a checkpoint '
            "that this training has saved early (RewindHook(point=...), --rewind), or set "
            "schedule='restart', which trains the whole schedule again")
    if any(start.rewinds and not start.initialises for start in _starts(spec)):
        raise UserError(
            f'the tickets are to start from the weights of the rewind point {spec.rewind.to!r}, '
            f'but {dense} is given, and nobody has saved that point of its training. Give an early '
            'checkpoint of that training (RewindHook(point=...), --rewind, such as its '
            f'epoch_1.pth); or start from the trained weights, RewindHook({_modes()}); or train '
            'round 0 (leave --dense out)')


def _starts(spec: LotterySpec) -> List[Start]:
    return [spec.start(round) for round in range(1, spec.rounds + 1)]


def _modes() -> str:
    """Those that need no rewind point."""
    STARTS.import_from_location()
    names = sorted(name for name, kind in STARTS.module_dict.items() if not kind.rewinds)
    return ' or '.join(f'mode={name!r}' for name in names)


def _resumes(spec: LotterySpec) -> bool:
    """Whether a ticket goes on with the schedule of the rewind point."""
    return spec.rewind.resumes and any(start.resumes for start in _starts(spec))


def check_order(dense: Given, point: Given) -> None:
    """Raise a UserError unless the point may be an earlier one of the same training."""
    if dense.sha256 == point.sha256:
        raise UserError(
            f'{point} is the dense model itself, not a point before it: to start tickets from the '
            f'trained weights, leave --rewind (point) out and set RewindHook({_modes()})')
    end, early = dense.iterations, point.iterations
    if end is not None and early is not None and early >= end:
        raise UserError(
            f'the rewind point {point} is of iteration {early}, not before {dense}, which is '
            f'the dense model of iteration {end}: give an earlier checkpoint of its training')
    seeds = dense.count('seed'), point.count('seed')
    if None not in seeds and seeds[0] != seeds[1]:
        raise UserError(
            f'the rewind point {point} is of a training with seed {seeds[1]}, {dense} of one with '
            f'seed {seeds[0]}: give a checkpoint of the same training')


def note_given(spec: LotterySpec) -> Optional[Dict[str, Any]]:
    """What ``lottery.json`` notes of the given checkpoints; None if there are none.

    Returns:
        dict: ``dense`` and ``rewind``, each a :meth:`~mmlth.engine.given.Given.note`; the latter is
        None where no point was given.
    """
    dense, point = spec.prune.given, spec.rewind.point
    if dense is None:
        return None
    return dict(dense=read_given(dense).note(), rewind=point and read_given(point).note())


def seed_of_given(spec: LotterySpec) -> Optional[int]:
    """The seed that a given dense model was trained with; None if none is given, or told."""
    return None if spec.prune.given is None else read_given(spec.prune.given).count('seed')


def check_same_files(notes: Optional[Mapping[str, Any]]) -> None:
    """Raise a UserError if a file is another by now than the one that a lottery began with."""
    for note in filter(None, (notes or {}).values()):
        path = Path(note['file']).expanduser()
        if path.is_file() and file_digest(path) != note['sha256']:
            raise UserError(
                f'{path} is another file than the one that this lottery was begun with '
                f'(SHA-256 {note["sha256"][:12]}..., now {file_digest(path)[:12]}...): put the '
                'old one back, or start in another --work-dir')


def _dense_is_done(cfg: Config) -> bool:
    return (paths.round_dir(cfg.get('work_dir') or '.', 0) / paths.FINAL).is_file()


def _are_here(*addresses: Optional[str]) -> bool:
    return all('://' in address or Path(address).expanduser().is_file()
               for address in addresses if address)


def _check(address: str, model: nn.Module, averages: bool) -> Given:
    """Read a checkpoint that must be of this model, and dense."""
    given = read_given(address)
    check_average(given, averages)
    given.load_average(model)
    content = given.load(model)
    dead = check_zeros({name: content.weights[name] for name in select(model)}, address)
    if dead:
        print_log(f'{address} has filters that are 0 as a whole, died in training: '
                  f'{", ".join(dead[:5])}{", ..." if len(dead) > 5 else ""}. They are the first '
                  'that magnitude prunes.', 'current', logging.WARNING)
    return given


def _check_schedule(cfg: Config, spec: LotterySpec, dense: Given) -> None:
    """Where the file does not tell the last learning rates, the config's schedule must."""
    schedulers = cfg.get('param_scheduler') or []
    for scheduler in [schedulers] if isinstance(schedulers, dict) else schedulers:
        if 'OnPlateau' in name_of(scheduler.get('type')):
            raise UserError(
                f'RewindHook(mode={spec.settings["mode"]!r}) trains with the last learning rates, '
                f'but {dense} has no optimizer that tells them, and the schedule of this config '
                'follows a metric: take another mode')
