"""Disk: what a study has, what it will need, and what is free."""
import os
import shutil
from pathlib import Path
from typing import Dict, Iterable, Optional, Sequence, Tuple

from mmlth.analysis.found.trainings import read_config
from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.engine.chain.state import read_lottery

from . import dense
from .jobs import Job
from .lotteries import lotteries_of
from .networks import network_of
from .study import Study

_Sizes = Dict[Tuple[str, str], float]       # of a base and network
_MARGIN = 1.5       # a run that is being trained has files that it removes at its end


class Disk:
    """How much jobs will write, from those that are finished.

    Args:
        study: The study.
        root: Where its runs are or will be.
    """

    def __init__(self, study: Study, root: Path):
        self.root = Path(root)
        self.per_training: _Sizes = {}      # bytes of a lottery's own
        self.per_dense: _Sizes = {}         # bytes of a dense training
        for run in study.all_runs:
            folder = self.root / 'dense' / run.dense
            if (run.base, run.network) not in self.per_dense and dense.finished(folder):
                _note(self.per_dense, run.base, run.network, size_of(folder))
        for base, folders in lotteries_of(study, self.root).items():
            for folder in folders:
                self._learn_lottery(base, folder)

    def learn(self, job: Job) -> None:
        """Look at what a job has left."""
        if job.is_dense:
            _note(self.per_dense, job.run.base, job.run.network, size_of(job.folder))
        else:
            self._learn_lottery(job.run.base, job.folder)

    def needs(self, job: Job) -> float:
        """Bytes that a job will write; 0 while nothing is known."""
        known = self.per_dense if job.is_dense else self.per_training
        size = known.get((job.run.base, job.run.network)) or max(
            (size for (base, _), size in known.items() if base == job.run.base), default=0.0)
        return size * (1 if job.is_dense else job.trainings)

    def _wants(self, job: Job) -> float:
        """Bytes that must be free for a job to start."""
        return _MARGIN * self.needs(job)

    def _learn_lottery(self, base: str, folder: Path) -> None:
        """Of a finished one, by its tickets, less what it shares with others by hard links."""
        try:
            lottery = read_lottery(folder / paths.LOTTERY)
        except UserError:
            return
        rounds = lottery['rounds']
        if all(entry['status'] == 'done' for entry in rounds):
            own = sum(stat.st_size for stat in _stats(folder) if stat.st_nlink == 1)
            _note(self.per_training, base, network_of(read_config(lottery)),
                  own / max(1, len(rounds) - 1))

    def free(self) -> int:
        """Bytes that are free where the runs are or will be."""
        folder = self.root
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def check(self, jobs: Sequence[Job]) -> None:
        """Refuse what will clearly not fit, together or the largest alone.

        Raises:
            UserError: The jobs will write more than is free.
        """
        wanted, free = sum(map(self.needs, jobs)), self.free()
        wanted = max([wanted, *map(self._wants, jobs)])
        if wanted > free:
            raise UserError(
                f'{text_of_bytes(wanted)} of disk are wanted for {len(jobs)} jobs, as finished '
                f'runs tell, but {text_of_bytes(free)} are free in {self.root}: make room, or '
                'choose another --work-dir')

    def why_not(self, job: Job) -> Optional[str]:
        """Why a job may not start now; None if it may."""
        wanted, free = self._wants(job), self.free()
        if free >= wanted:
            return None
        return (f'{text_of_bytes(free)} of disk are free in {self.root}, '
                f'{text_of_bytes(wanted)} are wanted')

    def text(self, jobs: Sequence[Job] = ()) -> str:
        """What is there, what the jobs will write, what is free."""
        parts = [f'{text_of_bytes(size_of(self.root))} in {self.root}'] if (
            self.root.exists()) else []
        if jobs:
            wanted = sum(map(self.needs, jobs))
            parts.append(f'about {text_of_bytes(wanted)} to come' if wanted else
                         'to come: unknown until a first run is finished')
        return f'Disk: {", ".join([*parts, f"{text_of_bytes(self.free())} free"])}.'


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder; a file that has several names there counts once."""
    return sum({(stat.st_dev, stat.st_ino): stat.st_size for stat in _stats(folder)}.values())


def text_of_bytes(size: float) -> str:
    """E.g. ``'1.3 GB'``."""
    power = min(3, max(1, (len(f'{size:.0f}') - 1) // 3))
    value, unit = size / 1000 ** power, ('kB', 'MB', 'GB')[power - 1]
    return f'{value:.3g} {unit}' if value < 1000 else f'{value:.0f} {unit}'


def _note(sizes: _Sizes, base: str, network: str, size: float) -> None:
    """The largest counts."""
    sizes[base, network] = max(size, sizes.get((base, network), 0.0))


def _stats(folder: Path) -> Iterable[os.stat_result]:
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield os.lstat(os.path.join(parent, name))
            except OSError:     # removed meanwhile
                continue
