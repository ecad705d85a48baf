"""What a study would run, told without starting anything."""
from pathlib import Path
from typing import List, Optional

from mmlth.analysis.compare.wording import settings_text
from mmlth.core import paths
from mmlth.core.errors import check_count

from .disk import Disk
from .estimate import Estimate, earlier, text_of
from .jobs import Job, plan
from .one import is_finished
from .study import Run, Study, run_dir
from .times import known_overhead


def dry_run(study: Study, root: Path, jobs: int = 1) -> str:
    """Every run with its status, what it sets and its time; then the sums.

    Args:
        study: The study.
        root: Where its runs are or would be.
        jobs: How many at a time, for the time. Default: 1.
    """
    check_count('jobs', jobs)
    todo, disk = plan(study, root), Disk(study, root)
    known = Estimate(earlier(study, root, known_overhead(root)))
    seconds = {job.name: known.seconds(job) if known.knows(job) else None for job in todo}
    lines = [_line(job.run, root, job.name, seconds[job.name]) for job in todo if job.is_dense]
    lines += [_line(run, root, run.name, seconds.get(run.name, 0.0)) for run in study.all_runs]
    return '\n'.join([*lines, '', _sums(study, root, todo, known, jobs), disk.text(todo)])


def _line(run: Run, root: Path, name: str, seconds: Optional[float]) -> str:
    if name != run.name:
        return f'{"to do":<12}{text_of(seconds):>8}  {name}'
    status = 'finished' if is_finished(root, run) else (
        'interrupted' if (run_dir(root, run) / paths.LOTTERY).exists() else 'to do')
    where = '; '.join(f'{part}: {settings_text(settings)}'
                      for part, settings in run.parts.items()) or 'a source of others'
    time = '' if status == 'finished' else text_of(seconds)
    return f'{status:<12}{time:>8}  {name}\n{"":>22}{where}'


def _sums(study: Study, root: Path, todo: List[Job], known: Estimate, jobs: int) -> str:
    done = sum(is_finished(root, run) for run in study.all_runs)
    unknown = sorted({job.run.base for job in todo if not known.knows(job)})
    guessed = sum(known.guesses(job) for job in todo)
    time = (f'time unknown until a first run is finished of {", ".join(unknown)}' if unknown else
            f'about {text_of(known.left(todo, jobs, 0.0))} with {jobs} at a time' + (
                f' ({guessed} jobs train a network of which none is finished; they are taken to '
                'be as fast as the others of their base)' if guessed else ''))
    return (f'{done} of {len(study.all_runs)} runs are finished; to do: {len(todo)} jobs, '
            f'{sum(job.trainings for job in todo):g} trainings, {time}')
