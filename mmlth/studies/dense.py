"""One dense training for all lotteries of a study that begin with the same one."""
import hashlib
import json
from pathlib import Path
from typing import List

from mmengine.config import Config, ConfigDict

from mmlth.core import paths
from mmlth.core.files import link, write_json
from mmlth.core.scores import PROBED
from mmlth.engine.final import MetricsHook, final_metrics
from mmlth.engine.lottery_state import LotteryState, plain_config, read_json
from mmlth.engine.preflight import count_rounds
from mmlth.engine.round_runner import RoundRunner
from mmlth.engine.rounds import evaluation_config, hook_config

from .study import Run

_DONE = 'dense.json'


def dense_config(cfg: Config) -> Config:
    """The training that round 0 is, free of what later rounds do with it."""
    cfg = evaluation_config(cfg)
    cfg.default_hooks['random_state'] = ConfigDict(type='mmlth.RandomStateHook')
    return cfg


def dense_name(cfg: Config) -> str:
    """Equal for configs with the same dense training."""
    text = json.dumps(plain_config(dense_config(cfg)), sort_keys=True)
    return f'seed-{cfg.randomness.seed}_{hashlib.sha256(text.encode()).hexdigest()[:8]}'


def is_shareable(cfg: Config) -> bool:
    """Whether round 0 is an ordinary dense training, of which only the end matters."""
    prune = hook_config(cfg, 'PruneHook')
    starts = prune.get('at') == 'start' or prune.get('score') in PROBED
    return hook_config(cfg, 'EarlyBirdHook') is None and not starts


def train_dense(folder: Path, runs: List[Run]) -> None:
    """Train the dense model of these runs; keep the rewind point of each."""
    cfg = dense_config(runs[0].cfg)
    cfg.work_dir, cfg.experiment_name = str(folder), f'dense_{folder.name}'
    for to in sorted({rewind_to(run.cfg) for run in runs}):
        cfg.default_hooks[f'rewind_{to}'] = ConfigDict(
            type='mmlth.RewindHook', to=to, out=rewind_name(to))
    if (folder / paths.RESUME).exists():
        cfg.load_from, cfg.resume = str(folder / paths.RESUME), True
    runner = RoundRunner.from_cfg(cfg)
    hook = MetricsHook(lambda: None)
    runner.register_hook(hook, priority='LOWEST')
    runner.train()
    write_json(folder / _DONE, dict(
        metrics=final_metrics(runner, hook), iterations=runner.iter,
        rewind=sorted({rewind_to(run.cfg) for run in runs})))


def finished(folder: Path, runs: List[Run]) -> bool:
    """Whether the dense model and every rewind point that the runs need are there."""
    if not (folder / _DONE).exists():
        return False
    return {rewind_to(run.cfg) for run in runs} <= set(read_json(folder / _DONE)['rewind'])


def adopt(folder: Path, work_dir: Path, cfg: Config) -> None:
    """Let a lottery go on behind a finished dense training, as its round 0.

    The files are hard links; the lottery is left as one that was interrupted at the end
    of round 0, before it drew the ticket.
    """
    first = paths.round_dir(work_dir, 0)
    if (work_dir / paths.LOTTERY).exists():
        return
    for source, target in ((rewind_name(rewind_to(cfg)), paths.REWIND),
                           (paths.RESUME, paths.RESUME)):
        link(folder / source, first / target)
    state = LotteryState(work_dir, cfg, count_rounds(cfg))
    state.rounds[0].update(status='running', metrics=read_json(folder / _DONE)['metrics'])
    state.save()


def rewind_to(cfg: Config) -> str:
    """When the rewind point is taken."""
    return str(hook_config(cfg, 'RewindHook').get('to', '0it'))


def rewind_name(to: str) -> str:
    """The file of a rewind point among several."""
    return f'rewind_{to}.pth'
