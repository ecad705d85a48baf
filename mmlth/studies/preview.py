"""What a study would run, told without starting anything."""
from pathlib import Path
from typing import List

from mmlth.analysis.compare.wording import settings_text
from mmlth.core import paths

from .estimate import text_of, training_seconds
from .jobs import Job, plan
from .one import is_finished
from .study import Run, Study, run_dir


def dry_run(study: Study, root: Path, jobs: int = 1) -> str:
    """Every run with its status, what it sets and its time; then the sums.

    Args:
        study: The study.
        root: Where its runs are or would be.
        jobs: How many at a time, for the time. Default: 1.
    """
    todo, seconds = plan(study, root), training_seconds(study, root)
    lines = [_line(job.run, root, job.name, _job_seconds(job, seconds)) for job in todo
             if job.is_dense]
    by_name = {job.name: job for job in todo}
    for run in study.all_runs:
        job = by_name.get(run.name)
        lines.append(_line(run, root, run.name, _job_seconds(job, seconds) if job else 0.0))
    return '\n'.join([*lines, '', _sums(study, root, todo, seconds, jobs)])


def _line(run: Run, root: Path, name: str, seconds) -> str:
    if name != run.name:
        return f'{"to do":<12}{text_of(seconds):>8}  {name}'
    status = 'finished' if is_finished(root, run) else (
        'interrupted' if (run_dir(root, run) / paths.LOTTERY).exists() else 'to do')
    where = '; '.join(f'{part}: {settings_text(settings)}'
                      for part, settings in run.parts.items()) or 'a source of others'
    time = '' if status == 'finished' else text_of(seconds)
    return f'{status:<12}{time:>8}  {name}\n{"":>22}{where}'


def _sums(study: Study, root: Path, todo: List[Job], seconds, jobs: int) -> str:
    done = sum(is_finished(root, run) for run in study.all_runs)
    known = [_job_seconds(job, seconds) for job in todo]
    trainings = sum(job.trainings for job in todo)
    if None in known:
        unknown = sorted({job.run.base for job in todo} - set(seconds))
        time = f'time unknown until a first run is finished of {", ".join(unknown)}'
    else:
        time = f'about {text_of(sum(known) / jobs)} with {jobs} at a time'
    return (f'{done} of {len(study.all_runs)} runs are finished; to do: {len(todo)} jobs, '
            f'{trainings:g} trainings, {time}')


def _job_seconds(job: Job, seconds):
    known = seconds.get(job.run.base)
    return None if known is None else known * job.trainings
