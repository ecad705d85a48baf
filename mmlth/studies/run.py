"""Run a study: several processes at a time, finished runs skipped, failed ones reported."""
import copy
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine.lottery_runner import LotteryRunner
from mmlth.engine.lottery_state import read_lottery
from mmlth.engine.preflight import check_config

from . import dense
from .study import Run, Study


@dataclass
class Job:
    """One process: a lottery, or a dense training that several lotteries share."""
    name: str
    folder: Path
    command: List[str]
    needs: Optional['Job'] = None
    status: str = 'waiting'         # 'running', 'done', 'failed'
    tries: int = 0
    process: Optional[subprocess.Popen] = field(default=None, repr=False)


def run_study(study: Study, path: str, work_dir: Path, jobs: int = 1, retries: int = 1) -> int:
    """Run whatever of the study is not finished; return how many runs failed.

    Args:
        study: The study.
        path: Its file, for the processes.
        work_dir: Where its runs go.
        jobs: Processes at a time; each gets its share of the cores. Default: 1.
        retries: How often a failed process is started again. Default: 1.
    """
    for run in study.runs:
        check_config(run.cfg)
    waiting = plan(study, path, work_dir)
    running: List[Job] = []
    total, began = len(waiting), time.time()
    while waiting or running:
        for job in [j for j in running if j.process.poll() is not None]:
            running.remove(job)
            _finish(job, retries, waiting)
            done = total - len(waiting) - len(running)
            _say(f'{done}/{total} jobs ended, {len(running)} running, '
                 f'{(time.time() - began) / 60:.1f} min')
        for job in list(waiting):
            if job.needs and job.needs.status == 'failed':
                job.status = 'failed'
                waiting.remove(job)
                _say(f'{job.name}: not started, {job.needs.name} failed')
            elif len(running) < jobs and (job.needs is None or job.needs.status == 'done'):
                waiting.remove(job)
                running.append(_start(job, jobs))
        time.sleep(0.2)
    return sum(not is_finished(work_dir, run) for run in study.runs)


def plan(study: Study, path: str, work_dir: Path) -> List[Job]:
    """The jobs to run, each dense training before what needs it."""
    command = [sys.executable, sys.argv[0], path, '--work-dir', str(work_dir)]
    groups: Dict[str, List[Run]] = {}
    for run in study.runs:
        if dense.is_shareable(run.cfg):
            groups.setdefault(dense.dense_name(run.cfg), []).append(run)
    jobs, first = [], {}
    for name, runs in groups.items():
        folder = work_dir / 'dense' / name
        if any(not is_finished(work_dir, r) for r in runs) and not dense.finished(folder, runs):
            job = Job(f'dense/{name}', folder, [*command, '--dense', name])
            jobs.append(job)
            first.update({run.name: job for run in runs})
    for run in study.runs:
        if not is_finished(work_dir, run):
            jobs.append(Job(run.name, run_dir(work_dir, run), [*command, '--run', run.name],
                            first.get(run.name)))
    return jobs


def run_one(study: Study, work_dir: Path, name: str) -> None:
    """Run one lottery of the study in this process, from where it stands."""
    run = _find(study, name)
    folder, cfg = run_dir(work_dir, run), copy.deepcopy(run.cfg)
    cfg.work_dir, cfg.resume = str(folder), True
    if dense.is_shareable(cfg):
        dense.adopt(work_dir / 'dense' / dense.dense_name(run.cfg), folder, cfg)
    LotteryRunner(cfg).train()


def run_dense(study: Study, work_dir: Path, name: str) -> None:
    """Run one shared dense training in this process."""
    runs = [run for run in study.runs
            if dense.is_shareable(run.cfg) and dense.dense_name(run.cfg) == name]
    if not runs:
        raise UserError(f'study {study.name} has no dense training {name}')
    dense.train_dense(work_dir / 'dense' / name, runs)


def run_dir(work_dir: Path, run: Run) -> Path:
    """Where a run's lottery is."""
    return work_dir / 'runs' / run.name


def is_finished(work_dir: Path, run: Run) -> bool:
    """Whether all its rounds are done."""
    path = run_dir(work_dir, run) / paths.LOTTERY
    return path.exists() and all(
        entry['status'] == 'done' for entry in read_lottery(path)['rounds'])


def _start(job: Job, jobs: int) -> Job:
    job.folder.mkdir(parents=True, exist_ok=True)
    threads = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    job.tries += 1
    job.status = 'running'
    with open(job.folder / 'output.log', 'ab') as log:
        job.process = subprocess.Popen(
            job.command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, 'OMP_NUM_THREADS': threads})
    _say(f'{job.name}: started')
    return job


def _finish(job: Job, retries: int, waiting: List[Job]) -> None:
    if job.process.returncode == 0:
        job.status = 'done'
        return
    last = (job.folder / 'output.log').read_text(errors='replace').strip().splitlines()[-1:]
    again = job.tries <= retries
    job.status = 'waiting' if again else 'failed'
    if again:
        waiting.append(job)
    _say(f'{job.name}: failed{", is tried again" if again else ""}: {"".join(last)} '
         f'({job.folder / "output.log"})')


def _find(study: Study, name: str) -> Run:
    for run in study.runs:
        if run.name == name:
            return run
    raise UserError(f'study {study.name} has no run {name}')


def _say(text: str) -> None:
    print(f'{time.strftime("%H:%M:%S")} {text}', flush=True)
