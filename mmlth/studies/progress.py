"""What a running study shows: a line per event, and a live count on a terminal."""
import sys
import time
from typing import Any, Dict, List, Optional, Sequence

from .estimate import text_of
from .jobs import Job


class Progress:
    """Plain lines; on a terminal, rich's live display below them.

    Args:
        jobs: All jobs.
        seconds: Base -> seconds of one training, as far as known; kept up to date here.
        at_once: How many jobs run side by side; None if as many as there are.
        live: Whether to show the display. Default: None, on a terminal.
    """

    def __init__(self, jobs: Sequence[Job], seconds: Dict[str, float],
                 at_once: Optional[int] = 1, live: Optional[bool] = None):
        self.jobs, self.at_once = jobs, at_once
        self.seconds: Dict[str, List[float]] = {base: [s] for base, s in seconds.items()}
        self.began = time.time()
        self.live = None
        if sys.stdout.isatty() if live is None else live:
            from rich.live import Live
            self.live = Live(refresh_per_second=2, get_renderable=self._panel)

    def __enter__(self) -> 'Progress':
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.live:
            self.live.stop()

    def say(self, text: str) -> None:
        """One line, with the time."""
        line = f'{time.strftime("%H:%M:%S")} {text}'
        if self.live:
            self.live.console.print(line, markup=False, highlight=False)
        else:
            print(line, flush=True)

    def ended(self, job: Job) -> None:
        """Learn what a job took, and tell where the study stands."""
        if job.status == 'done' and job.trainings > 0:
            self.seconds.setdefault(job.run.base, []).append(
                (time.time() - job.began) / job.trainings)
        self.say(self.counts())

    def counts(self) -> str:
        """Done, running, failed and waiting jobs, the time so far and the time left."""
        count = {status: sum(job.status == status for job in self.jobs)
                 for status in ('running', 'failed', 'waiting')}
        done, left = sum(job.status == 'done' for job in self.jobs), self.left()
        return (f'{done}/{len(self.jobs)} jobs done, '
                + ', '.join(f'{number} {status}' for status, number in count.items())
                + f'; {text_of(time.time() - self.began)} so far'
                + ('' if left is None else f', about {text_of(left)} left'))

    def left(self) -> Optional[float]:
        """Seconds until all jobs have ended; None while nothing is known.

        A base of which no training is known is taken to be as quick as the others.
        """
        seconds, now = 0.0, time.time()
        everything = [s for known in self.seconds.values() for s in known]
        if not everything:
            return None
        for job in self.jobs:
            if job.status in ('waiting', 'running'):
                known = self.seconds.get(job.run.base) or everything
                seconds += sum(known) / len(known) * job.trainings
                if job.status == 'running':
                    seconds -= min(now - job.began, sum(known) / len(known) * job.trainings)
        waiting = sum(job.status in ('waiting', 'running') for job in self.jobs)
        return seconds / max(1, min(self.at_once or waiting, waiting))

    def _panel(self):
        from rich.table import Table
        table = Table(box=None, show_header=False)
        for job in self.jobs:
            if job.status == 'running':
                table.add_row('running', job.name, text_of(time.time() - job.began))
        table.add_row('', self.counts(), '')
        return table
