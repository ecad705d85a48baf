"""Run a study: what is finished is skipped, what fails is tried again, the rest goes on."""
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from mmlth.core.errors import UserError, check_count
from mmlth.engine.chain.preflight import check_config
from mmlth.engine.chain.state import LotteryState

from .description import DESCRIPTION, write_description
from .disk import Disk
from .estimate import Estimate, earlier
from .evaluation import evaluation_jobs
from .executors import MEMORY, Executor, LocalExecutor, SubmititExecutor
from .jobs import Job, plan
from .machine import available_cores
from .one import is_finished
from .progress import Progress
from .study import Study, run_dir
from .times import add_session, known_overhead


def run_study(study: Study, path: str, root: Path, *, resume: bool = False,
              executor: str = 'local', jobs: Optional[int] = None, retries: int = 1,
              nproc: int = 1, memory: float = MEMORY,
              slurm: Optional[Dict[str, Any]] = None) -> int:
    """Run whatever of the study is not finished; return how many runs are not then.

    Args:
        study: The study.
        path: Its file, for the processes.
        root: The folder of ``runs``, ``dense`` and one folder per study.
        resume: Go on with a study that was begun there and is not finished. Default: False.
        executor: ``'local'``, ``'slurm'``, ``'submitit-local'`` or ``'debug'``.
        jobs: How many at a time. Default: None, 1 on this machine, no limit on Slurm.
        retries: How often a failed job is started again. Default: 1.
        nproc: Processes that train each run together. Default: 1.
        memory: GB that must be available on this machine to start a job. Default: 2.
        slurm: sbatch parameters, over the study's own. Default: none.

    Raises:
        UserError: Something is wrong that can be told before the first training.
    """
    check_count('nproc', nproc)
    check_count('retries', retries, 0)
    # sbatch writes cpus-per-task, submitit and Python cpus_per_task.
    slurm = {key.replace('-', '_'): value
             for given in (study.slurm, slurm or {}) for key, value in given.items()}
    at_once = 1 if jobs is None else jobs
    jobs = jobs if executor == 'slurm' else at_once     # a cluster has its own limits
    where: Executor = LocalExecutor(at_once, memory) if executor == 'local' else SubmititExecutor(
        executor, Path(root) / study.name / 'submitit', jobs, slurm)
    check(study, root)
    todo, disk = plan(study, root), Disk(study, root)
    begun = (Path(root) / study.name / DESCRIPTION).exists()
    if begun and todo and not resume:
        done = sum(is_finished(root, run) for run in study.runs)
        raise UserError(
            f'{Path(root) / study.name} was begun already, {done} of {len(study.runs)} runs are '
            'finished. Go on with --resume, or choose another --work-dir; nothing there was '
            'touched.')
    disk.check(todo)
    write_description(study, root)
    cores = (int(slurm.get('cpus_per_task', 1)) if executor == 'slurm'
             else available_cores() // at_once)
    threads = thread_limit(cores, nproc)
    known = Estimate(earlier(study, root, known_overhead(root)))
    try:
        with Progress(todo, known, jobs) as progress:
            try:
                Loop(todo, where, progress, retries,
                     lambda job: job.command(path, root, nproc, threads), disk).run()
            finally:
                if todo:
                    add_session(Path(root) / study.name, progress.session())
        measured = evaluation_jobs(study, root)
        with Progress(measured, Estimate(), jobs) as progress:
            Loop(measured, where, progress, retries,
                 lambda job: job.command(path, root, threads=thread_limit(cores, 1))).run()
    finally:
        where.close()
    return sum(not is_finished(root, run) for run in study.runs)


def check(study: Study, root: Path) -> None:
    """Raise a UserError for what a run cannot be done with, or was done with otherwise.

    What a finished run needed, its data for one, need not be there any more.
    """
    for run in study.all_runs:
        cfg = run.located(root)
        cfg.resume = True       # the files of its sources need not be there yet
        if not is_finished(root, run):
            check_config(cfg)
        state = LotteryState(run_dir(root, run), cfg, run.spec)
        if state.path.exists():
            state.resume()
        else:
            state.check_size()


def thread_limit(cores: int, nproc: int) -> int:
    """Threads of each of ``nproc`` processes that share the cores; never more than the user's
    own ``OMP_NUM_THREADS``.
    """
    share, own = max(1, cores // nproc), os.environ.get('OMP_NUM_THREADS', '')
    return min(share, int(own)) if own.isdecimal() and int(own) else share


class Loop:
    """Starts jobs when they may start, looks after them, and starts failed ones again."""

    def __init__(self, jobs: List[Job], executor: Executor, progress: Progress, retries: int,
                 command: Callable[[Job], List[str]], disk: Optional[Disk] = None):
        self.jobs, self.executor, self.progress = jobs, executor, progress
        self.retries, self.command, self.disk = retries, command, disk
        self.held: Optional[str] = None

    def run(self) -> None:
        while any(job.status in ('waiting', 'running') for job in self.jobs):
            for job in self.jobs:
                if job.status == 'running':
                    self._look(job)
            for job in self.jobs:
                if job.status == 'waiting':
                    self._try_to_start(job)
            time.sleep(self.executor.interval)
        if self.jobs:
            self.progress.say(self.progress.counts())
        for job in self.jobs:
            if job.status == 'failed':
                self.progress.say(f'{job.name}: {job.reason}')

    def _look(self, job: Job) -> None:
        succeeded = self.executor.poll(job)
        if succeeded is None:
            return
        if not succeeded:
            again = job.tries <= self.retries
            job.status = 'waiting' if again else 'failed'
            why = f'{self.executor.why_failed(job)} ({job.log})'
            self.progress.say(f'{job.name}: failed{", is tried again" if again else ""}: {why}')
            job.reason = f'failed: {why}'
            self._recall(job)
        else:
            job.status = 'done'
            if self.disk:
                self.disk.learn(job)
        self.progress.ended(job)

    def _recall(self, failed: Job) -> None:
        """Take back what was submitted ahead, behind a job that has failed."""
        for job in self.jobs:
            if failed in job.needs and job.status == 'running':
                self.executor.cancel(job)
                job.status, job.tries = 'waiting', job.tries - 1
                self._recall(job)

    def _try_to_start(self, job: Job) -> None:
        failed = next((need for need in job.needs if need.status == 'failed'), None)
        if failed:
            job.status, job.reason = 'failed', f'not started, {failed.name} failed'
            self.progress.say(f'{job.name}: {job.reason}')
            return
        ready = ('done', 'running') if self.executor.submits_ahead else ('done',)
        if any(need.status not in ready for need in job.needs):
            return
        running = sum(other.status == 'running' for other in self.jobs)
        reason = self.executor.why_not(running) or (
            self.disk.why_not(job) if self.disk else None)     # until somebody makes room
        if reason is None:
            self._start(job)
        elif not running and reason != self.held:
            self.progress.say(f'waiting: {reason}')
            self.held = reason

    def _start(self, job: Job) -> None:
        job.folder.mkdir(parents=True, exist_ok=True)
        job.status, job.began, job.tries, self.held = 'running', time.time(), job.tries + 1, None
        job.log_start = job.log.stat().st_size if job.log.exists() else 0
        self.executor.start(job, self.command(job))
        self.progress.say(f'{job.name}: started')
