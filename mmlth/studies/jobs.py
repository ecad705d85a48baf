"""The jobs of a study: one process each, and what each of them needs first."""
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from mmlth.core import paths
from mmlth.engine.chain.state import read_lottery

from . import dense
from .one import dense_points, is_finished
from .steps import planned_steps, schedule
from .study import Run, Study, run_dir


@dataclass
class Job:
    """One process.

    Args:
        name: Unique in a study.
        folder: Where it works, and keeps its ``output.log``.
        run: The lottery, or one of those that begin with the dense training.
        needs: Jobs that must be done before it.
        trainings: How many trainings it runs.
        steps: How long they are together, in epochs or iterations, as its config counts. Default:
            1.
        kind: ``'lottery'``, ``'dense'`` for a dense training that several lotteries share, or
            ``'evaluation'`` of rounds of a finished lottery. Default: ``'lottery'``.
        rounds: Those that are evaluated. Default: none.
        begun: Whether some of it was there before. Default: False.
        status: ``'waiting'``, ``'running'`` (on a cluster: submitted), ``'done'``, ``'failed'``.
        tries: How often it was started.
        began: When it was started last, in seconds since 1970.
        log_start: How long its output was then, in bytes.
        took: Seconds of wall time, once it is done.
        reason: Why it has failed, on one line.
        handle: The executor's.
    """
    name: str
    folder: Path
    run: Run
    needs: List['Job'] = field(default_factory=list)
    trainings: float = 1
    steps: float = 1
    kind: str = 'lottery'
    rounds: Sequence[int] = ()
    begun: bool = False
    status: str = 'waiting'
    tries: int = 0
    began: float = 0.0
    log_start: int = 0
    took: float = 0.0
    reason: str = ''
    handle: Any = field(default=None, repr=False)

    @property
    def is_dense(self) -> bool:
        """Whether it is a dense training."""
        return self.kind == 'dense'

    @property
    def log(self) -> Path:
        """Its output."""
        return self.folder / 'output.log'

    def command(self, study: str, root: Path, nproc: int = 1, threads: int = 1) -> List[str]:
        """What its process runs.

        Args:
            study: The study's file.
            root: Where the runs are.
            nproc: Processes that train together, by torchrun if several. Default: 1.
            threads: Of each process. Default: 1.
        """
        limits = [f'{name}={threads}' for name in
                  ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS')]
        launcher = [] if nproc == 1 else [
            '-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={nproc}']
        return ['env', *limits, sys.executable, *launcher, '-m', 'mmlth.studies',
                os.path.abspath(study), str(root), self.kind, self.run.name,
                'pytorch' if launcher else 'none', *map(str, self.rounds)]


def plan(study: Study, root: Path) -> List[Job]:
    """The jobs still to be run, each behind what it needs."""
    jobs: Dict[str, Job] = {}
    for run in study.all_runs:
        if is_finished(root, run):
            continue
        needs = [jobs[s.name] for s in run.sources.values() if s.name in jobs]
        shared = _dense_job(study, run, root, jobs)
        left, steps = rounds_left(run, root), planned_steps(run)
        jobs[run.name] = Job(
            run.name, run_dir(root, run), run, needs + ([shared] if shared else []),
            len(left), sum(steps[round] for round in left),
            begun=(run_dir(root, run) / paths.LOTTERY).exists())
    return list(jobs.values())


def rounds_left(run: Run, root: Path) -> List[int]:
    """Which rounds an unfinished lottery has to train.

    A dense one that is shared, given or left out is none of them.
    """
    lottery, own_dense = run_dir(root, run) / paths.LOTTERY, (
        run.spec.prune.dense is True and not run.spec.shares_dense)
    done = {entry['round'] for entry in read_lottery(lottery)['rounds']
            if entry['status'] == 'done'} if lottery.exists() else set()
    return [round for round in range(run.spec.rounds + 1)
            if round not in done and (round > 0 or own_dense)]


def _dense_job(study: Study, run: Run, root: Path, jobs: Dict[str, Job]) -> Optional[Job]:
    """The dense training that a run waits for; it is put before the run."""
    if not run.spec.shares_dense or (run_dir(root, run) / paths.LOTTERY).exists():
        return None
    folder = dense.find(root, run.dense, dense_points(study, run))
    if dense.finished(folder):
        return None
    name, text = f'dense/{folder.name}', str(dense.dense_config(run.cfg).to_dict())
    needs = [jobs[source.name] for source in run.sources.values()
             if source.name in jobs and f'{{{source.name}}}' in text]
    return jobs.setdefault(name, Job(
        name, folder, run, needs, 1, schedule(run.cfg), kind='dense', begun=folder.exists()))
