"""``times.json``: what a study was estimated to take, and what it took.

Beside ``study.json``. A list of sessions, one per call of ``tools/study.py`` that had something to
do, each with

* ``began``: when, in seconds since 1970; ``jobs``: how many were done in it; ``at_once``: how many
  ran side by side, None without a limit;
* ``estimated``: seconds that the session was estimated to take, None if it never was;
  ``estimated_after``: how many jobs were done by then, mostly 0 or 1;
* ``seconds``: that it took; ``complete``: whether all of its jobs were done in it;
* ``overhead``: wall time of its lotteries by the time of the trainings in them (starting a process,
  drawing, measuring latency, writing the page), None where no whole lottery was run.
"""
from pathlib import Path
from statistics import median
from typing import Any, Dict, List, Optional, Sequence

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.files import write_json
from mmlth.engine.chain.state import read_json, read_lottery

from .estimate import text_of
from .jobs import Job

TIMES = 'times.json'
Session = Dict[str, Any]


def read_sessions(folder: Path) -> List[Session]:
    """The sessions of the study in ``folder``; none where the file is missing or damaged."""
    try:
        sessions = read_json(Path(folder) / TIMES)
        return [dict(session) for session in sessions if session['seconds'] >= 0]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []


def add_session(folder: Path, session: Session) -> None:
    """Note one more."""
    write_json(Path(folder) / TIMES, [*read_sessions(folder), session])


def sessions_text(sessions: Sequence[Session]) -> str:
    """A sentence: what was estimated, and what it took; empty without a session."""
    parts = []
    for session in sessions:
        estimated, after = session.get('estimated'), session.get('estimated_after')
        told = 'no estimate' if estimated is None else f'estimated {text_of(estimated)}' + (
            f' after {after} job{"" if after == 1 else "s"}' if after else ' at its start')
        parts.append(f'{session["jobs"]} jobs in {text_of(session["seconds"])} ({told}'
                     + ('' if session.get('complete') else ', interrupted or failed in part') + ')')
    return f'Wall time: {"; ".join(parts)}.' if parts else ''


def overhead_of(jobs: Sequence[Job]) -> Optional[float]:
    """Wall time by the time of trainings, of the lotteries that were run whole; the median."""
    found = []
    for job in jobs:
        if job.status == 'done' and not job.is_dense and not job.begun and job.tries == 1:
            try:
                rounds = read_lottery(job.folder / paths.LOTTERY)['rounds']
            except UserError:
                continue
            own = rounds[1:] if job.run.spec.shares_dense else rounds
            trained = sum(entry['seconds'] for entry in own if not entry.get('given'))
            if trained > 0:
                found.append(job.took / trained)
    return median(found) if found else None


def known_overhead(root: Path) -> float:
    """Of the last session in the root, whatever its study; 1 where none is noted."""
    noted = [session for path in Path(root).glob(f'*/{TIMES}')
             for session in read_sessions(path.parent) if session.get('overhead')]
    return max(noted, key=lambda session: session['began'])['overhead'] if noted else 1.0
