"""What a running study shows: a line per event, and a live count on a terminal."""
import sys
import time
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence

from .estimate import Estimate, text_of
from .jobs import Job
from .times import overhead_of

if TYPE_CHECKING:
    from rich.table import Table


class Progress:
    """Plain lines; on a terminal, rich's live display below them.

    Args:
        jobs: All jobs.
        estimate: What jobs take, as far as known; kept up to date here.
        at_once: How many jobs run side by side; None if as many as there are.
        live: Whether to show the display. Default: None, on a terminal.
    """

    def __init__(self, jobs: Sequence[Job], estimate: Estimate,
                 at_once: Optional[int] = 1, live: Optional[bool] = None):
        self.jobs, self.at_once, self.estimate = jobs, at_once, estimate
        self.began = time.time()
        self.first: Dict[str, Any] = dict(estimated=None, estimated_after=None)
        self._note_first()
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
        if job.status == 'done':
            job.took = time.time() - job.began
            self.estimate.learn(job, job.took)
        self._note_first()
        self.say(self.counts())

    def session(self) -> Dict[str, Any]:
        """What :mod:`mmlth.studies.times` notes of it."""
        done = sum(job.status == 'done' for job in self.jobs)
        return dict(began=self.began, jobs=done, at_once=self.at_once, **self.first,
                    seconds=time.time() - self.began, complete=done == len(self.jobs),
                    overhead=overhead_of(self.jobs))

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
        """Seconds until all jobs have ended; None while nothing is known."""
        return self.estimate.left(self.jobs, self.at_once, time.time())

    def _note_first(self) -> None:
        """Keep the first estimate that there is: it is held against what the session took."""
        left = self.left()
        if self.first['estimated'] is None and left is not None:
            self.first.update(estimated=time.time() - self.began + left,
                              estimated_after=sum(job.status == 'done' for job in self.jobs))

    def _panel(self) -> 'Table':
        from rich.table import Table
        table = Table(box=None, show_header=False)
        for job in self.jobs:
            if job.status == 'running':
                table.add_row('running', job.name, text_of(time.time() - job.began))
        table.add_row('', self.counts(), '')
        return table
