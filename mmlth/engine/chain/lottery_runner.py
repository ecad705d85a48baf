"""Chain rounds: dense training, ticket, rewind, train the ticket, and again."""
import copy
import gc
import os
import time
from pathlib import Path
from typing import Any, Dict, Optional

import torch
from mmengine.config import Config
from mmengine.dist import (broadcast_object_list, get_world_size, init_dist, is_distributed,
                           is_main_process, sync_random_seed)
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmlth.core import Ticket, paths, sparsity_report
from mmlth.core.errors import UserError
from mmlth.core.files import remove_parts, write_json
from mmlth.registry import RUNNERS
from mmlth.report.guard import Guard

from ..amp import keep_amp
from ..costs import round_compute_sparsity
from ..hooks.rewind_hook import RewindHook
from ..ranks import on_rank_0, together
from ..runners import bare_model
from . import report
from .curves import CurvesHook, keep_curves
from .data_check import FirstLookHook
from .final import MetricsHook, save_final, trained_ticket
from .going_on import check_files, check_processes, is_done, set_aside, ticket_digest
from .lottery_spec import LotterySpec
from .preflight import check_config
from .round_runner import RoundRunner
from .rounds import evaluation_config, round_config
from .samples import keep_samples
from .state import LotteryState, read_lottery
from .table import one_line
from .ticket_latency import ticket_latency


@RUNNERS.register_module()
class LotteryRunner:
    """Find and train a lottery ticket; every round is an ordinary ``Runner``.

    Round 0 trains the dense model, each later round the ticket drawn at the end of the
    one before. A round has its own folder ``round_k`` in the work dir, which ends with
    ``final.pth``; ``lottery.json`` says where the chain stands, and ``resume`` goes on
    from there. A round that has trained another ticket than the one before it has drawn since
    is trained again. Chosen with ``runner_type='mmlth.LotteryRunner'``; the config needs a
    :class:`PruneHook`, a :class:`RewindHook` and a :class:`MaskedOptimWrapper`.

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
    def from_cfg(cls, cfg) -> 'LotteryRunner':
        """What mmengine's registry calls."""
        return cls(copy.deepcopy(cfg))

    def train(self) -> Optional[torch.nn.Module]:
        """Run all rounds that are not finished; return the last round's model."""
        spec = check_config(self.cfg)
        self._init_dist()
        self._fix_seed()
        state = self._open_state(spec)
        model = None
        for entry in state.rounds:
            self._drop_stale(state, entry)
            if is_done(self.work_dir, entry):
                self._say(f'Round {entry["round"]}/{spec.rounds} is finished, skipped.')
                continue
            model = None    # a round has the memory to itself
            free_memory()
            model = self._run_round(state, entry, spec)
        free_memory()
        self._measure(state)
        self._report(state, spec)
        return model

    def test(self) -> Dict[str, float]:
        """Evaluate ``cfg.load_from`` with the test loop, as a stock Runner does."""
        return RoundRunner.from_cfg(evaluation_config(self.cfg)).test()

    def val(self) -> Dict[str, float]:
        """Evaluate ``cfg.load_from`` with the validation loop."""
        return RoundRunner.from_cfg(evaluation_config(self.cfg)).val()

    def _init_dist(self) -> None:
        """As ``Runner.setup_env`` does, but before the first file is read or written."""
        launcher = self.cfg.get('launcher', 'none')
        if launcher != 'none' and not is_distributed():
            dist_cfg = (self.cfg.get('env_cfg') or {}).get('dist_cfg') or dict(backend='nccl')
            if (launcher == 'pytorch' and dist_cfg.get('backend') == 'gloo'
                    and not torch.cuda.is_available()):     # mmengine would set a CUDA device
                torch.distributed.init_process_group('gloo')
            else:
                init_dist(launcher, **dist_cfg)

    def _fix_seed(self) -> None:
        """One seed for all rounds and resumptions, where the config leaves it open."""
        randomness = dict(self.cfg.get('randomness') or {})
        if randomness.get('seed') is None:
            path = self.work_dir / paths.LOTTERY
            if self.cfg.get('resume') and path.exists():
                saved = read_lottery(path)['config'].get('randomness') or {}
                randomness['seed'] = saved.get('seed')
            else:
                randomness['seed'] = sync_random_seed()
            self.cfg.randomness = randomness

    def _open_state(self, spec: LotterySpec) -> LotteryState:
        """The chain as it stands, the same on every rank."""
        state, problem = LotteryState(self.work_dir, self.cfg, spec), None
        try:
            if self.cfg.get('resume') and state.path.exists():
                self._resume(state, spec)
            elif holds_results(self.work_dir):
                raise UserError(
                    f'{self.work_dir} already holds a lottery. Continue it with --resume, '
                    'or choose another --work-dir; nothing there was touched.')
        except UserError as error:
            problem = error
        shared = [state.rounds, problem]
        broadcast_object_list(shared)
        state.rounds, problem = shared
        if problem is not None:
            raise problem
        with together():
            if is_main_process():
                if self.work_dir.exists():
                    remove_parts(self.work_dir)
                state.save()
        return state

    def _resume(self, state: LotteryState, spec: LotterySpec) -> None:
        """Take over where the chain stands, and say what is other than it was."""
        for text in state.resume():
            self._say(f'Goes on with another config, which trains the same: {text}')
        self.cfg.load_from = state.config.get('load_from')
        others = check_processes(state.rounds, self.work_dir, self.cfg, spec,
                                 get_world_size())
        if others:
            self._say(f'Rounds {others} were trained by another number of processes than the '
                      f'{get_world_size()} now; auto_scale_lr scales the learning rates.')
        for entry in state.rounds[1:]:
            # Of an older mmlth: the ticket that is there now is what the round has trained.
            if entry['status'] != 'waiting' and entry['ticket_digest'] is None:
                entry['ticket_digest'] = ticket_digest(self.work_dir, entry['round'])

    def _drop_stale(self, state: LotteryState, entry: Dict[str, Any]) -> None:
        """Begin a round anew whose ticket was drawn again, and differently, since."""
        index, moved = entry['round'], [None]
        with together():
            found = ticket_digest(self.work_dir, index) if (
                is_main_process() and entry['ticket_digest'] is not None) else None
            if found not in (None, entry['ticket_digest']):
                moved = [set_aside(self.work_dir, entry)]
                self._say(f'Round {index} has trained another ticket than round {index - 1} has '
                          f'drawn now: it is trained anew, what it had left is in {moved[0]}.')
        broadcast_object_list(moved)
        if moved[0] is not None:
            entry.update(state.waiting(index))

    def _run_round(self, state: LotteryState, entry: Dict[str, Any], spec: LotterySpec):
        index, began = entry['round'], time.time()
        before = entry['seconds']
        self._say(f'Round {index}/{spec.rounds} begins: '
                  f'{"the dense model" if index == 0 else f"the ticket of round {index}"}.')
        if entry['status'] == 'done':       # its weights are gone, and what was measured of them
            entry['metrics'] = {}
        entry.update(status='running', processes=get_world_size(),
                     ticket_digest=ticket_digest(self.work_dir, index) if index else None)
        if is_main_process():
            state.save()
        cfg = round_config(self.cfg, spec, self.work_dir, index, self.cfg.randomness.seed)
        check_files(cfg, paths.round_dir(self.work_dir, index), index)
        runner = RoundRunner.from_cfg(cfg)
        metrics = MetricsHook(
            lambda: self._save_time(state, entry, before + time.time() - began), entry['metrics'])
        runner.register_hook(metrics)
        runner.register_hook(FirstLookHook())
        runner.register_hook(CurvesHook())
        runner.train()
        with together():    # and nobody goes on before the files are there
            if is_main_process():
                entry.update(self._finish(runner, index), metrics=metrics.metrics, status='done',
                             seconds=round(before + time.time() - began, 1))
                state.save()
                (paths.round_dir(self.work_dir, index) / paths.RESUME).unlink(missing_ok=True)
                self._say(f'Round {index}/{spec.rounds} done in {entry["seconds"]:.0f} s: '
                          f'{one_line(entry, cfg)}')
        return runner.model

    def _save_time(self, state, entry, seconds: float) -> None:
        """So that a resumed round still knows what it cost before the interruption."""
        entry['seconds'] = round(seconds, 1)
        if is_main_process():
            state.save()

    def _finish(self, runner: Runner, index: int) -> Dict[str, Any]:
        """Write ``final.pth`` and the round's sparsity; return what the chain notes."""
        folder = paths.round_dir(self.work_dir, index)
        ticket = folder / paths.TICKET if index else None
        trained = trained_ticket(runner, Ticket.load(ticket), folder) if index else None
        mask = trained.mask if trained else {}
        save_final(runner, folder / paths.FINAL, mask)
        guard = Guard(self._say)
        guard.run(f'training curves of round {index}', lambda: keep_curves(runner, folder))
        guard.run(f'sample images of round {index}', lambda: keep_samples(runner, folder))
        counts = sparsity_report(bare_model(runner.model), mask)
        write_json(folder / paths.SPARSITY, counts)
        relative = (lambda p: str(p.relative_to(self.work_dir)))
        return dict(
            scope_sparsity=counts['scope']['sparsity'],
            network_sparsity=counts['network']['sparsity'],
            compute_sparsity=round_compute_sparsity(runner, trained),
            checkpoint=relative(folder / paths.FINAL),
            checkpoint_bytes=os.path.getsize(folder / paths.FINAL),
            ticket=relative(ticket) if ticket else None,
            ticket_bytes=os.path.getsize(ticket) if ticket else None,
            iterations=runner.iter, planned_iterations=runner.max_iters,
            ended_by=runner.ended_by if runner.iter < runner.max_iters else None,
            rewind_iteration=next((hook.iteration for hook in runner.hooks
                                   if isinstance(hook, RewindHook)), None))

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
        guard = Guard(self._say)
        guard.run('report', lambda: report.write(
            self.work_dir, state.rounds, self.cfg, spec, guard))
        self._say(report.summary(state.rounds, self.work_dir, self.cfg, spec))
        if 'report' in guard.skipped:
            self._say(f'No report: {guard.skipped["report"]}')

    def _say(self, text: str) -> None:
        print_log(text, logger='current' if is_main_process() else 'silent')


def free_memory() -> None:
    """Collect what refers to itself in a circle, as a Runner and its hooks do."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def holds_results(work_dir: Path) -> bool:
    """Whether a lottery got as far as a file worth keeping."""
    first = paths.round_dir(work_dir, 0)
    return any((first / name).exists() for name in (paths.RESUME, paths.FINAL))
