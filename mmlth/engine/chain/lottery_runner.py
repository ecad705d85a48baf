"""Chain rounds: dense training, ticket, rewind, train the ticket, and again."""
import copy
import gc
import time
from pathlib import Path
from typing import Any, Dict, Optional

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process

from mmlth.core import paths
from mmlth.registry import RUNNERS
from mmlth.report.guard import Guard

from ..amp import keep_amp
from ..evaluation import evaluation_config
from ..hooks.last_saved_hook import LastSavedHook
from ..ranks import on_rank_0, say, together
from . import report
from .curves import CurvesHook
from .data_check import FirstLookHook
from .final import MetricsHook
from .finished import finish_round
from .going_on import check_files, is_done, ticket_digest
from .lottery_spec import LotterySpec
from .opening import alone, drop_stale, fix_seed, init_launcher, open_chain
from .preflight import check_config
from .round_runner import RoundRunner
from .rounds import round_config, tell_of_workers
from .state import LotteryState
from .table import one_line
from .ticket_latency import ticket_latency


@RUNNERS.register_module()
class LotteryRunner:
    """Find and train a lottery ticket; every round is an ordinary ``Runner``.

    Round 0 trains the dense model, or evaluates one that is given; each later round trains the
    ticket drawn at the end of the one before. A round has its own folder ``round_k`` in the work
    dir, which ends with ``final.pth``; ``lottery.json`` says where the chain stands, and
    ``resume`` goes on from there. A round that has trained another ticket than the one before it
    has drawn since is trained again. Chosen with ``runner_type='mmlth.LotteryRunner'``; the
    config needs a :class:`PruneHook`, a :class:`RewindHook` and a :class:`MaskedOptimWrapper`.

    Args:
        cfg: The whole config, as ``Runner.from_cfg`` takes it; and ``latency``, whether at the end
            the tickets' latency on the CPU is measured, a minute at most for most models.
            Default: True.
    """

    def __init__(self, cfg: Config):
        self.cfg = cfg if isinstance(cfg, Config) else Config(cfg)
        keep_amp(self.cfg)
        self.work_dir = Path(self.cfg.work_dir).absolute()

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'LotteryRunner':
        """What mmengine's registry calls."""
        return cls(copy.deepcopy(cfg))

    def train(self) -> Optional[torch.nn.Module]:
        """Run all rounds that are not finished; return the last round's model."""
        spec = check_config(self.cfg)
        init_launcher(self.cfg)
        with alone(self.work_dir):
            fix_seed(self.cfg, spec, self.work_dir)
            state = open_chain(self.cfg, spec, self.work_dir)
            tell_of_workers(self.cfg)
            model = self._run_rounds(state, spec)
            self._measure(state)
            self._report(state, spec)
        return model

    def _run_rounds(self, state: LotteryState, spec: LotterySpec) -> Optional[torch.nn.Module]:
        model = None
        for entry in state.rounds:
            drop_stale(state, entry, self.work_dir)
            if is_done(self.work_dir, entry):
                say(f'Round {entry["round"]}/{spec.rounds} is finished, skipped.')
                continue
            model = None    # a round has the memory to itself
            free_memory()
            model = self._run_round(state, entry, spec)
        free_memory()
        return model

    def test(self) -> Dict[str, float]:
        """Evaluate ``cfg.load_from`` with the test loop, as a stock Runner does."""
        return RoundRunner.from_cfg(evaluation_config(self.cfg)).test()

    def val(self) -> Dict[str, float]:
        """Evaluate ``cfg.load_from`` with the validation loop."""
        return RoundRunner.from_cfg(evaluation_config(self.cfg)).val()

    def _run_round(self, state: LotteryState, entry: Dict[str, Any],
                   spec: LotterySpec) -> torch.nn.Module:
        index, began = entry['round'], time.time()
        before = entry['seconds']
        given = (entry['given'] or {}).get('dense')
        what = f'the ticket of round {index}' if index else (
            f'the dense model, {given["file"]}, is evaluated' if given else 'the dense model')
        say(f'Round {index}/{spec.rounds} begins: {what}.')
        if entry['status'] == 'done':       # its weights are gone, and what was measured of them
            entry['metrics'] = {}
        entry.update(status='running', processes=None if given else get_world_size(),
                     ticket_digest=ticket_digest(self.work_dir, index) if index else None)
        if is_main_process():
            state.save()
        cfg = round_config(self.cfg, spec, self.work_dir, index, self.cfg.randomness.seed)
        check_files(cfg, paths.round_dir(self.work_dir, index), index)
        runner = RoundRunner.from_cfg(cfg)
        metrics = MetricsHook(
            lambda: self._save_time(state, entry, before + time.time() - began), entry['metrics'],
            given=given is not None)
        runner.register_hook(metrics)
        runner.register_hook(FirstLookHook())
        runner.register_hook(CurvesHook())
        LastSavedHook.added(runner)
        runner.train()
        with together():    # and nobody goes on before the files are there
            if is_main_process():
                entry.update(finish_round(runner, self.work_dir, index, given), status='done',
                             metrics=metrics.metrics,
                             seconds=round(before + time.time() - began, 1))
                state.save()
                (paths.round_dir(self.work_dir, index) / paths.RESUME).unlink(missing_ok=True)
                say(f'Round {index}/{spec.rounds} done in {entry["seconds"]:.0f} s: '
                    f'{one_line(entry, cfg)}')
        return runner.model

    def _save_time(self, state: LotteryState, entry: Dict[str, Any], seconds: float) -> None:
        """So that a resumed round still knows what it cost before the interruption."""
        entry['seconds'] = round(seconds, 1)
        if is_main_process():
            state.save()

    @on_rank_0
    def _measure(self, state: LotteryState) -> None:
        """The latency of tickets that have none yet, unless the config says ``latency=False``."""
        for entry in state.rounds[1:] if self.cfg.get('latency', True) else ():
            if entry['latency'] is None:
                entry['latency'] = ticket_latency(self.cfg, self.work_dir / entry['checkpoint'])
        state.save()

    @on_rank_0
    def _report(self, state: LotteryState, spec: LotterySpec) -> None:
        # The table does not depend on the page: hours are over, and lottery.json has it all.
        guard = Guard(say)
        guard.run('report', lambda: report.write(
            self.work_dir, state.rounds, self.cfg, spec, guard))
        say(report.summary(state.rounds, self.work_dir, self.cfg, spec))
        if 'report' in guard.skipped:
            say(f'No report: {guard.skipped["report"]}')


def free_memory() -> None:
    """Collect what refers to itself in a circle, as a Runner and its hooks do."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
