"""One dense training for all lotteries of a study that begin with the same one."""
import hashlib
import json
import time
from itertools import count
from pathlib import Path
from typing import Iterable, List

from mmengine.config import Config, ConfigDict
from mmengine.dist import get_world_size, is_main_process

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.files import link, write_json
from mmlth.engine.chain.final import MetricsHook
from mmlth.engine.chain.lottery_spec import LotterySpec
from mmlth.engine.chain.round_runner import RoundRunner
from mmlth.engine.chain.rounds import keep_exact, tell_of_workers
from mmlth.engine.chain.same_training import plain_config
from mmlth.engine.chain.state import LotteryState, read_json
from mmlth.engine.evaluation import evaluation_config
from mmlth.engine.ranks import on_rank_0

_STATE = 'dense.json'     # rewind points, status; once done, metrics, iterations and seconds


def dense_config(cfg: Config) -> Config:
    """The training that round 0 is, free of what later rounds do with it."""
    cfg = evaluation_config(cfg)
    cfg.default_hooks = cfg.get('default_hooks') or {}
    cfg.default_hooks['random_state'] = ConfigDict(type='mmlth.RandomStateHook')
    return cfg


def dense_name(cfg: Config) -> str:
    """Equal for configs with the same dense training."""
    text = json.dumps(plain_config(dense_config(cfg)), sort_keys=True)
    return f'seed-{cfg.randomness.seed}_{hashlib.sha256(text.encode()).hexdigest()[:8]}'


def find(root: Path, name: str, points: Iterable[str]) -> Path:
    """The folder of the dense training that has, or is to have, these rewind points.

    A training cannot get further points once it is begun: another study's that lacks some stays
    as it is, and theirs is the next folder, ``NAME_2``.
    """
    points = set(points)
    for number in count(1):
        folder = Path(root) / 'dense' / (name if number == 1 else f'{name}_{number}')
        if not (folder / _STATE).exists() or points <= set(read_json(folder / _STATE)['rewind']):
            return folder
    raise AssertionError('unreachable')


def train_dense(folder: Path, cfg: Config, points: List[str], launcher: str = 'none') -> None:
    """Train the dense model of a lottery's config; keep these rewind points.

    Args:
        folder: Where. A training that was interrupted there goes on.
        cfg: Of any lottery that begins with it.
        points: As RewindHook's ``to``.
        launcher: mmengine's. Default: ``'none'``.
    """
    state = dict(rewind=points, status='running', processes=get_world_size())
    if (folder / _STATE).exists():
        state = read_json(folder / _STATE)
    elif is_main_process():
        write_json(folder / _STATE, state)
    cfg, began = dense_config(cfg), time.time()
    cfg.work_dir, cfg.experiment_name, cfg.launcher = str(folder), f'dense_{folder.name}', launcher
    tell_of_workers(cfg)
    keep_exact(cfg)
    for to in state['rewind']:
        cfg.default_hooks[f'rewind_{to}'] = ConfigDict(
            type='mmlth.RewindHook', to=to, out=rewind_name(to))
    if (folder / paths.RESUME).exists():
        before = state.get('processes', get_world_size())   # older versions noted none
        if before != get_world_size():
            raise UserError(f'{folder} was begun with {before} process(es), this start has '
                            f'{get_world_size()}, which is another effective batch: start it with '
                            f'{before}')
        cfg.load_from, cfg.resume = str(folder / paths.RESUME), True
    runner = RoundRunner.from_cfg(cfg)
    hook = MetricsHook(lambda: None)
    runner.register_hook(hook)
    runner.train()
    missing = [to for to in state['rewind'] if not (folder / rewind_name(to)).is_file()]
    if missing:
        raise UserError(
            f'{runner.ended_by or "a hook"} ended the dense training {folder} after {runner.iter} '
            f'iterations, before it came to the rewind point {missing[0]!r}: leave that hook out, '
            'or rewind to earlier points')
    state.update(processes=get_world_size(), metrics=hook.metrics, iterations=runner.iter,
                 status='done', seconds=round(time.time() - began, 1))
    if is_main_process():
        write_json(folder / _STATE, state)


def finished(folder: Path) -> bool:
    """Whether the dense model and its rewind points are there."""
    path = folder / _STATE
    return path.exists() and read_json(path)['status'] == 'done'


@on_rank_0
def adopt(folder: Path, work_dir: Path, cfg: Config, spec: LotterySpec) -> None:
    """Let a lottery go on behind a finished dense training, as its round 0.

    The files are hard links; the lottery is left as one that was interrupted at the end
    of round 0, before it drew the ticket. Where a hook has ended the training early, the end
    is there.
    """
    first = paths.round_dir(work_dir, 0)
    if (work_dir / paths.LOTTERY).exists():
        return
    for source, target in ((rewind_name(rewind_to(spec)), paths.REWIND),
                           (paths.RESUME, paths.RESUME)):
        link(folder / source, first / target)
    state, dense = LotteryState(work_dir, cfg, spec), read_json(folder / _STATE)
    state.rounds[0].update(status='running', metrics=dense['metrics'],
                           processes=dense.get('processes'), seconds=dense['seconds'])
    state.save()


def rewind_to(spec: LotterySpec) -> str:
    """When the rewind point is taken."""
    return str(spec.rewind.to)


def rewind_name(to: str) -> str:
    """The file of a rewind point among several."""
    return f'rewind_{to}.pth'
