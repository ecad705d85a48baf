"""What the analysis measures of finished models, measured by jobs, as they were trained.

The process that stays with a study may be on a cluster's login node, without a GPU.
"""
from pathlib import Path
from typing import List, Sequence

from mmlth.analysis.analyze import to_be_evaluated
from mmlth.analysis.found.runs import read_run
from mmlth.analysis.measure.evaluate import Evaluations
from mmlth.core.errors import UserError

from .jobs import Job
from .study import Study, find_run, run_dir


def evaluation_jobs(study: Study, root: Path) -> List[Job]:
    """One for each finished run with models that the analysis would have to evaluate itself."""
    runs = {run_dir(root, run).resolve(): run for run in study.all_runs}
    try:
        missing = to_be_evaluated([Path(root) / study.name])
    except UserError:       # nothing is finished, say: the analysis tells
        return []
    return [Job(f'evaluation/{folder.name}', folder, runs[folder.resolve()],
                trainings=len(rounds), steps=len(rounds), kind='evaluation', rounds=rounds)
            for folder, rounds in missing]


def run_evaluation(study: Study, root: Path, name: str, rounds: Sequence[int]) -> None:
    """Evaluate rounds of a finished lottery; what cannot be is told, and again in the analysis."""
    run = read_run(run_dir(root, find_run(study, name)))
    evaluations = Evaluations()
    for part in run.rounds:
        if part.index in rounds:
            evaluations.add(run, part)
