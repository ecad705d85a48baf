"""The analyses that look into the trained networks, which are evaluated for them."""
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from mmlth.report import Section
from mmlth.report.guard import Guard

from .compare.changes import remarks
from .compare.families import main_direct
from .compare.groups import group_runs
from .found.run import Run
from .measure.evaluate import Evaluations
from .sections.categories import difficulty_section, frequency_section
from .sections.cost import network_cost_section, training_cost_section
from .sections.overlap import overlap_sections
from .sections.samples import samples_section
from .sections.sizes import sizes_section


def network_sections(runs: Sequence[Run], pictures, say: Callable[[str], None] = print,
                     spare: Optional[Path] = None, guard: Optional[Guard] = None) -> Tuple[
                         List[Section], Dict[str, str], List[str]]:
    """Sizes, categories, overlap, samples and cost.

    Args:
        runs: Dense models and last tickets of those in :func:`to_evaluate` are evaluated with
            the config's own loop, each once: what is found is kept in the round's folder as
            ``evaluation.json``.
        pictures: Folder that sample images are written into.
        say: Told what is being evaluated. Default: print.
        spare: Where evaluations are kept whose own folders cannot be written to. Default: None.
        guard: Notes what is skipped and what fails. Default: None, a new one.

    Returns:
        The sections of all analyses that apply, why others do not (name -> reason), and
        paragraphs on runs that were not evaluated or not with the results noted.
    """
    guard = guard or Guard(say)
    evaluations = Evaluations.of_runs(to_evaluate(runs), say, spare)
    guard.failed.update(evaluations.guard.failed)
    analyses: Dict[str, Callable[[], List[Section]]] = {
        'object sizes': lambda: [sizes_section(runs, evaluations)],
        'frequency of categories': lambda: [frequency_section(runs, evaluations)],
        'difficulty of categories': lambda: [difficulty_section(runs, evaluations)],
        'overlap of tickets': lambda: overlap_sections(runs),
        'sample images': lambda: [samples_section(runs, evaluations, pictures)],
        'cost of the tickets': lambda: [training_cost_section(runs)],
        'cost of the networks': lambda: [network_cost_section(runs, evaluations)]}
    sections = [section for name, analysis in analyses.items()
                for section in guard.run(name, analysis) or []]
    return sections, guard.skipped, remarks(evaluations)


def to_evaluate(runs: Sequence[Run]) -> List[Run]:
    """Direct tickets that differ in their sparsity alone, or one run of models without any.

    The others are not shown by size or category, and have the same operations per layer.
    """
    chosen: List[Run] = []
    for group in group_runs(runs):
        direct = [run for cell in main_direct(group) for run in cell.runs]
        chosen += direct or group.runs[:1]
    return chosen
