"""Follow Slurm jobs by the queue, where the cluster keeps no accounting."""
import subprocess
from typing import Dict, List, Optional, Union

from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob


def why_no_accounting() -> Optional[str]:
    """What ``sacct`` says first where it knows no jobs; None where it answers."""
    try:
        found = subprocess.run(['sacct', '--noheader', '--allocations'], capture_output=True,
                               text=True)
    except OSError as error:
        return str(error)
    if found.returncode == 0:
        return None
    return (found.stderr.strip().splitlines() or [f'exit {found.returncode}'])[0]


class QueueWatcher(SlurmInfoWatcher):
    """Asks ``squeue``, which still names a job for some minutes after its end.

    submitit asks ``sacct``: without accounting a job that was killed, with no result written,
    would be waited for without end.
    """

    def _make_command(self) -> Optional[List[str]]:
        if not self._registered - self._finished:
            return None
        return ['squeue', '--noheader', '--states=all', '--format=%i|%T']

    def read_info(self, string: Union[bytes, str]) -> Dict[str, Dict[str, str]]:
        """Job -> its state; one that the queue has forgotten has ended."""
        text = string if isinstance(string, str) else string.decode()
        found = dict(line.split('|', 1) for line in text.splitlines() if '|' in line)
        return {job: dict(State=found.get(job, 'ENDED')) for job in self._registered}


class QueuedJob(SlurmJob):
    """A job that is followed by the queue."""
    watcher = QueueWatcher(delay_s=60)
