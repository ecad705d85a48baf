"""How long jobs take, from those that have ended."""
from pathlib import Path
from statistics import median
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from mmlth.analysis.found.trainings import read_config
from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine.chain.state import read_lottery

from .jobs import Job
from .lotteries import lotteries_of
from .networks import network_of
from .steps import trained_steps
from .study import Study

_RECENT = 5     # a machine is not equally fast at all times


class Taken(NamedTuple):
    """What some trainings of one base took: their steps, their number, seconds of wall time."""
    base: str
    steps: float
    trainings: float
    seconds: float
    network: str = ''       # of :func:`mmlth.studies.networks.network_of`


class Estimate:
    """What jobs will take.

    The median over the trainings of the same network that ended last, by their steps; if none has
    ended, over those of the same base, whose network may be a shallower one; of a base of which
    none has ended, the median over all trainings, whole ones. A median, for one training that a
    busy machine has held up says nothing of the next.

    Args:
        taken: Of earlier trainings, the latest last.
    """

    def __init__(self, taken: Iterable[Taken] = ()):
        self.rates: Dict[str, List[float]] = {}     # seconds per step of a base
        self.own: Dict[Tuple[str, str], List[float]] = {}       # of a base and network
        self.whole: List[float] = []                # seconds per training
        for entry in taken:
            self._add(entry)

    def learn(self, job: Job, seconds: float) -> None:
        """Take into account what a job took."""
        self._add(Taken(job.run.base, job.steps, job.trainings, seconds, job.run.network))

    def seconds(self, job: Job) -> Optional[float]:
        """Of one job; None while nothing is known."""
        base = job.run.base
        rates = self.own.get((base, job.run.network)) or self.rates.get(base)
        if rates:
            return median(rates[-_RECENT:]) * job.steps
        return median(self.whole[-_RECENT:]) * job.trainings if self.whole else None

    def knows(self, job: Job) -> bool:
        """Whether trainings of its base have ended."""
        return job.run.base in self.rates

    def guesses(self, job: Job) -> bool:
        """Whether those were of another network alone."""
        return self.knows(job) and (job.run.base, job.run.network) not in self.own

    def left(self, jobs: Sequence[Job], places: Optional[int], now: float) -> Optional[float]:
        """Seconds until all have ended, each as soon as what it needs is done and a place is free.

        Args:
            jobs: All of them; those that are done or have failed take no time.
            places: How many run side by side; None if as many as there are.
            now: Seconds since 1970, for those that run.
        """
        open_ = [job for job in jobs if job.status in ('waiting', 'running')]
        seconds: Dict[str, float] = {}
        for job in open_:
            expected = self.seconds(job)
            if expected is None:
                return None
            seconds[job.name] = expected
        ends = {job.name: max(0.0, seconds[job.name] - (now - job.began))
                for job in open_ if job.status == 'running'}
        waiting, time = [job for job in open_ if job.status == 'waiting'], 0.0
        while waiting or ends:
            held = {job.name for job in waiting} | set(ends)
            ready = [job for job in waiting if not held & {need.name for need in job.needs}]
            for job in ready[:max(0, (places or len(jobs)) - len(ends))]:
                ends[job.name] = time + seconds[job.name]
                waiting.remove(job)
            if not ends:
                break
            time = min(ends.values())
            ends = {name: end for name, end in ends.items() if end > time}
        return time

    def _add(self, taken: Taken) -> None:
        if taken.steps > 0:
            rate = taken.seconds / taken.steps
            self.rates.setdefault(taken.base, []).append(rate)
            self.own.setdefault((taken.base, taken.network), []).append(rate)
        if taken.trainings > 0:
            self.whole.append(taken.seconds / taken.trainings)


def earlier(study: Study, root: Path, overhead: float = 1.0) -> List[Taken]:
    """The finished trainings of the study's bases, those of other studies in the root too.

    Args:
        study: The study.
        root: Where runs are.
        overhead: What a job takes beyond the trainings in it, as a factor. Default: 1, nothing.
    """
    found = []
    for base, folders in lotteries_of(study, root).items():
        files = [folder / paths.LOTTERY for folder in folders]
        for file in sorted(files, key=lambda file: file.stat().st_mtime):
            found += _taken(base, file, overhead)
    return found


def _taken(base: str, lottery: Path, overhead: float) -> List[Taken]:
    """Of the rounds of a lottery that were trained here and to their end."""
    try:
        content = read_lottery(lottery)
    except UserError:
        return []
    network = network_of(read_config(content))
    return [Taken(base, steps, 1, overhead * entry['seconds'], network)
            for entry, steps in zip(content['rounds'], trained_steps(content))
            if entry['status'] == 'done' and entry['seconds'] > 0 and not entry.get('given')
            and entry['iterations'] == entry['planned_iterations'] > 0]


def text_of(seconds: Optional[float]) -> str:
    """A duration as people say it."""
    if seconds is None:
        return 'unknown'
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = seconds / 60
    return f'{minutes:.0f} min' if minutes < 90 else f'{minutes / 60:.1f} h'
