"""The analyses that look into the trained networks, which are evaluated for them."""
from typing import Callable, Dict, List, Sequence, Tuple

from mmlth.core.errors import UserError
from mmlth.report import Section

from .categories import difficulty_section, frequency_section
from .changes import remarks
from .cost import network_cost_section, training_cost_section
from .evaluate import Evaluations
from .groups import group_runs
from .overlap import overlap_sections
from .runs import Run
from .samples import samples_section
from .sizes import sizes_section
from .sparsity import main_direct


def network_sections(runs: Sequence[Run], pictures, say: Callable[[str], None] = print
                     ) -> Tuple[List[Section], Dict[str, str], List[str]]:
    """Sizes, categories, overlap, samples and cost.

    Args:
        runs: Dense models and last tickets of those in :func:`to_evaluate` are evaluated with
            the config's own loop, each once: what is found is kept in the round's folder as
            ``evaluation.json``.
        pictures: Folder that sample images are written into.
        say: Told what is being evaluated. Default: print.

    Returns:
        The sections of all analyses that apply, why others do not (name -> reason), and
        paragraphs on runs that were not evaluated or not with the results noted.
    """
    evaluations = Evaluations.of_runs(to_evaluate(runs), say)
    analyses: Dict[str, Callable[[], List[Section]]] = {
        'object sizes': lambda: [sizes_section(runs, evaluations)],
        'frequency of categories': lambda: [frequency_section(runs, evaluations)],
        'difficulty of categories': lambda: [difficulty_section(runs, evaluations)],
        'overlap of tickets': lambda: overlap_sections(runs),
        'sample images': lambda: [samples_section(runs, evaluations, pictures)],
        'cost of the tickets': lambda: [training_cost_section(runs)],
        'cost of the networks': lambda: [network_cost_section(runs, evaluations)]}
    sections: List[Section] = []
    skipped: Dict[str, str] = {}
    for name, analysis in analyses.items():
        try:
            sections += analysis()
        except UserError as error:
            skipped[name] = str(error)
    return sections, skipped, remarks(evaluations)


def to_evaluate(runs: Sequence[Run]) -> List[Run]:
    """Direct tickets that differ in their sparsity alone, or one run of models without any.

    The others are not shown by size or category, and have the same operations per layer.
    """
    chosen: List[Run] = []
    for group in group_runs(runs):
        direct = [run for cell in main_direct(group) for run in cell.runs]
        chosen += direct or group.runs[:1]
    return chosen
