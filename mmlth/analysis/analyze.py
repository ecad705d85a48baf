"""All analyses that apply to what is there, and the report of them."""
from functools import partial
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

from mmlth.registry import ANALYSES
from mmlth.report import Section, write_report
from mmlth.report.guard import Guard
from mmlth.report.keys import keys_apart
from mmlth.report.write import check_folder, check_sections

from .compare.changes import remarks
from .compare.families import main_cells
from .compare.groups import group_runs
from .found.run import Run
from .found.runs import Found, find_runs
from .imports import import_modules, import_own
from .measure.evaluate import Evaluations, not_evaluated
from .sections import BUILT_IN, Analysis
from .sections.overview import overview_section

EVALUATIONS = 'evaluations'     # in the report's folder


def analyze(work_dirs: Sequence[Union[str, Path]], out: Union[str, Path],
            title: str = 'Lottery tickets', guard: Optional[Guard] = None,
            imports: Sequence[str] = ()) -> Path:
    """From finished work dirs to a report; nothing is trained again.

    What lotteries do not note of themselves (AP by size and category, sample images, FLOPs) is
    measured with their own evaluation loop, once, and kept in each round's folder; where that
    cannot be written to, in ``out/evaluations``. A section that fails is left out with its reason.

    Args:
        work_dirs: As :func:`mmlth.analysis.found.runs.find_runs` takes them.
        out: Folder of the report: ``report.html``, ``report.md``, ``figures/``, ``data/``,
            ``tables/``.
        title: Heading of the report. Default: ``'Lottery tickets'``.
        guard: Notes in ``failed`` what has failed. Default: None, a new one.
        imports: Modules that register analyses (:data:`mmlth.registry.ANALYSES`), beside those
            that the configs of the lotteries import (``custom_imports``). Default: none.

    Returns:
        Path: ``report.html``.

    Raises:
        UserError: A folder is no lottery or study, nothing is finished, one of ``imports`` cannot
            be imported, or ``out`` cannot be written to, which is told before anything is
            evaluated.
    """
    import_modules(imports)
    out, guard = Path(out), guard or Guard()
    found, absent = _find(work_dirs, guard)
    check_folder(out)
    evaluations = Evaluations.of_runs(to_evaluate(found.runs), spare=out / EVALUATIONS)
    guard.failed.update(evaluations.guard.failed)
    sections = run_analyses(found.runs, evaluations, guard)
    overview = guard.run('overview', lambda: overview_section(found, sections, guard.skipped, [
        *remarks(evaluations), *absent, *filter(None, [guard.text()])]))
    return write_report([*filter(None, [overview]), *sections], out, title=title, guard=guard)


def to_be_evaluated(work_dirs: Sequence[Union[str, Path]]) -> List[Tuple[Path, List[int]]]:
    """What :func:`analyze` would evaluate: the folders of lotteries, and the rounds of each.

    Raises:
        UserError: As :func:`analyze`.
    """
    found, _ = _find(work_dirs, Guard())
    return [(run.folder, [part.index for part in rounds])
            for run, rounds in not_evaluated(to_evaluate(found.runs))]


def _find(work_dirs: Sequence[Union[str, Path]], guard: Guard) -> Tuple[Found, List[str]]:
    """The runs, and sentences on modules of theirs that are not installed here."""
    absent = import_own(find_runs(work_dirs).runs, guard)
    return find_runs(work_dirs), absent     # again: methods tell labels, and how long is trained


def analyses() -> Dict[str, Analysis]:
    """All that are registered: our own in the order of the report, then those of users."""
    ANALYSES.import_from_location()
    return {name: ANALYSES.module_dict[name] for name in {**BUILT_IN, **ANALYSES.module_dict}}


def run_analyses(runs: Sequence[Run], evaluations: Evaluations, guard: Guard) -> List[Section]:
    """The sections of all analyses that apply; ``guard`` notes why others do not."""
    sections: List[Section] = []
    for name, analysis in analyses().items():
        sections += guard.run(
            name, partial(_sections, analysis, runs, evaluations, sections)) or []
    return sections


def _sections(analysis: Analysis, runs: Sequence[Run], evaluations: Evaluations,
              others: Sequence[Section]) -> List[Section]:
    """Of one analysis, maybe a user's: what cannot be written beside the others fails here."""
    found = analysis(runs, evaluations)
    if not isinstance(found, (list, tuple)):
        raise TypeError(f'an analysis returns a list of sections, not a {type(found).__name__}')
    keys_apart(found, others)
    check_sections([Section('overview', '', ''), *others, *found])
    return list(found)


def to_evaluate(runs: Sequence[Run]) -> List[Run]:
    """Tickets of the main method that differ in their sparsity alone; else one run of a model.

    The others are not shown by size or category, and have the same operations per layer.
    """
    chosen: List[Run] = []
    for group in group_runs(runs):
        main = [run for cell in main_cells(group) for run in cell.runs]
        chosen += main or group.runs[:1]
    return chosen
