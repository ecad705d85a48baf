"""Where jobs run: processes of this machine, or jobs of a cluster through submitit."""
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from mmlth.core.errors import UserError, check_count

from .jobs import Job
from .machine import available_memory, total_memory
from .reason import failure

_LOGGED = 'log=$1; shift; exec "$@" >>"$log" 2>&1 </dev/null'
NAMES = ('local', 'slurm', 'submitit-local', 'debug')
MEMORY = 2.0    # GB that must be available on this machine for a job to be started


class LocalExecutor:
    """Processes of this machine, ``jobs`` at a time.

    Args:
        jobs: Processes at a time. Default: 1.
        memory: GB that must be available for one to be started. Default: 2.

    Raises:
        UserError: ``jobs`` is no whole number of at least 1, or ``memory`` more than there is.
    """
    interval = 0.2      # seconds between two looks at the jobs
    submits_ahead = False

    def __init__(self, jobs: int = 1, memory: float = MEMORY):
        check_count('jobs', jobs)
        total = total_memory()
        if total is not None and memory > total:
            raise UserError(f'memory: {memory:g} GB are to be available for a job to start, this '
                            f'machine has {total:.1f}')
        self.jobs, self.memory = jobs, memory
        self.started: List[subprocess.Popen] = []

    def why_not(self, running: int) -> Optional[str]:
        """Why no further job may start now; None if one may."""
        if running >= self.jobs:
            return 'all places are taken'
        available = available_memory()
        if available is not None and available < self.memory:
            return f'{available:.1f} GB of memory are available, {self.memory:g} are wanted'
        return None

    def start(self, job: Job, command: List[str]) -> None:
        """Start the job's process."""
        with open(job.log, 'ab') as log:
            job.handle = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT,
                                          stdin=subprocess.DEVNULL, start_new_session=True)
        self.started.append(job.handle)

    def poll(self, job: Job) -> Optional[bool]:
        """None while it runs, then whether it succeeded."""
        code = job.handle.poll()
        return None if code is None else code == 0

    def why_failed(self, job: Job) -> str:
        """What it ended with; a process that was killed cannot say it itself."""
        code = job.handle.poll()
        if code >= 0:
            return failure(job.log, job.log_start)
        name = signal.Signals(-code).name
        return f'killed by {name}' + (', maybe for want of memory' if name == 'SIGKILL' else '')

    def cancel(self, job: Job) -> None:
        """Nothing is started before what it needs is done: there is nothing to take back."""

    def close(self) -> None:
        """End what still runs: it can go on later from where it stands."""
        left = [process for process in self.started if process.poll() is None]
        for process in left:
            os.killpg(process.pid, signal.SIGTERM)
        for process in left:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


class SubmititExecutor:
    """Jobs of submitit.

    Args:
        cluster: ``'slurm'``, ``'submitit-local'`` or ``'debug'``, submitit's stand-ins.
        folder: Where submitit keeps its files; on a cluster, all nodes must see it.
        jobs: Jobs at a time. Default: None, no limit.
        slurm: Parameters of each job under their names of sbatch (``partition``, ``mem``,
            ``gpus_per_node``, ``cpus_per_task`` ...). Default: none; ``time``: 1 hour.

    Raises:
        UserError: submitit or the cluster is not there, or an argument is wrong.
    """
    interval = 1.0

    def __init__(self, cluster: str, folder: Path, jobs: Optional[int] = None,
                 slurm: Optional[Dict[str, Any]] = None):
        if jobs is not None:
            check_count('jobs', jobs)
        try:
            import submitit
        except ImportError:
            raise UserError(f'--executor {cluster} needs submitit: pip install '
                            '"mmlth[studies]"') from None
        self.helpers = submitit.helpers
        self.cluster, self.jobs = cluster, jobs
        self.submits_ahead = cluster == 'slurm'
        kinds = {'slurm': submitit.SlurmExecutor, 'submitit-local': submitit.LocalExecutor,
                 'debug': submitit.DebugExecutor}
        try:
            self.executor = kinds[cluster](folder)
            self.parameters = dict(slurm or {}) if cluster == 'slurm' else {}
            if cluster == 'slurm':
                self._update()
                self._choose_watcher()
            elif cluster == 'submitit-local':
                self.executor.update_parameters(timeout_min=60 * 24 * 7)
        except (RuntimeError, ValueError, TypeError) as error:
            raise UserError(f'--executor {cluster}: {error}') from None

    def why_not(self, running: int) -> Optional[str]:
        """Why no further job may start now; None if one may."""
        limit = 1 if self.cluster == 'debug' else self.jobs
        return 'all places are taken' if limit and running >= limit else None

    def start(self, job: Job, command: List[str]) -> None:
        """Submit the job; on Slurm behind the jobs that it needs."""
        if self.cluster == 'slurm':
            ids = [need.handle.job_id for need in job.needs if need.status != 'done']
            self._update(name=job.name.replace('/', '_'), needs=ids)
        # submitit's own functions: a job need not import ours. The sequence is queued again
        # when its time is up, and the run goes on where it stands.
        work = self.helpers.FunctionSequence()
        work.add(self.helpers.CommandFunction(
            ['sh', '-c', _LOGGED, 'sh', str(job.log), *command], verbose=False))
        job.handle = self.executor.submit(work)

    def poll(self, job: Job) -> Optional[bool]:
        """None while it is queued or runs, then whether it succeeded."""
        if self.cluster != 'debug' and not job.handle.done():     # debug runs when asked
            return None
        return job.handle.exception() is None

    def why_failed(self, job: Job) -> str:
        """What it ended with."""
        return failure(job.log, job.log_start)

    def cancel(self, job: Job) -> None:
        """Take a submitted job back."""
        job.handle.cancel(check=False)

    def close(self) -> None:
        """Jobs of a cluster go on without us."""

    def _choose_watcher(self) -> None:
        """By accounting, as submitit; by the queue where there is none."""
        from .squeue import QueuedJob, why_no_accounting
        reason = why_no_accounting()
        if reason is not None:
            print(f'This Slurm keeps no accounting ({reason}): jobs are followed by squeue.')
            self.executor.job_class = QueuedJob

    def _update(self, name: str = 'mmlth', needs: Sequence[str] = ()) -> None:
        known = self.executor._valid_parameters() - {'mem'}     # submitit has it in GB
        texts = {key: ','.join(map(str, value)) if isinstance(value, (list, tuple)) else value
                 for key, value in self.parameters.items()}
        given = {key: value for key, value in texts.items() if key in known}
        other = {key: value for key, value in texts.items() if key not in known}
        given['time'] = minutes(given.get('time', 60))
        if needs:
            given['dependency'] = f'afterok:{":".join(needs)}'
            # Else a job whose need has failed would stay in the queue for ever.
            other['kill-on-invalid-dep'] = 'yes'
        self.executor.parameters.clear()
        self.executor.update_parameters(job_name=name, additional_parameters=other, **given)


Executor = Union[LocalExecutor, SubmititExecutor]


def minutes(time: Any) -> int:
    """Of a time limit as sbatch takes it, rounded up.

    ``minutes``, ``minutes:seconds``, ``hours:minutes:seconds``, and ``days-hours``, which
    ``:minutes`` and ``:seconds`` may follow (sbatch(1), ``--time``).

    Raises:
        UserError: It is none of these.
    """
    match = re.fullmatch(r'(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?', str(time), re.ASCII)
    if not match:
        raise UserError("--slurm time: expected minutes or '12:00:00', '30:00' (minutes, seconds) "
                        f"or '1-12' (days, hours; ':30:00' may follow), got {time!r}")
    days, *parts = (None if part is None else int(part) for part in match.groups())
    given = [part for part in parts if part is not None]
    if days is None:    # the last of two or three is seconds
        hours, mins, seconds = {1: [0, *given, 0], 2: [0, *given], 3: given}[len(given)]
    else:               # the first is hours
        hours, mins, seconds = [*given, 0, 0][:3]
    return ((days or 0) * 24 + hours) * 60 + mins + (seconds > 0)
