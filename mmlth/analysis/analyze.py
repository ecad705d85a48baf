"""All analyses that apply to what is there, and the report of them."""
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Dict, List, Sequence, Tuple

from mmlth.core.errors import UserError
from mmlth.report import Section, write_report

from .ablations import allocation_section, rewinding_section, rounds_section
from .early_bird import early_bird_section
from .latency import latency_section
from .layers import layers_section
from .modules import modules_section
from .networks import network_sections
from .overview import overview_section
from .runs import Run, find_runs
from .sparsity import backbone_section, sparsity_section
from .tables import imagenet_section, task_section
from .verdict import verdict_section

# In the order of the report. Each takes the runs and raises a UserError that says why it has
# nothing to show.
ANALYSES: Dict[str, Callable[[Sequence[Run]], Section]] = {
    'verdict': verdict_section, 'sparsity': sparsity_section, 'models': backbone_section,
    'latency': latency_section, 'rewinding point': rewinding_section, 'layers': layers_section,
    'rounds': rounds_section, 'allocation': allocation_section, 'early-bird': early_bird_section,
    'modules': modules_section, 'ImageNet tickets': imagenet_section,
    'tickets of other tasks': task_section}


def analyze(work_dirs: Sequence, out, title: str = 'Lottery tickets') -> Path:
    """From finished work dirs to a report; nothing is trained again.

    What lotteries do not note of themselves (AP by size and category, sample images, FLOPs) is
    measured with their own evaluation loop, once, and kept in each round's folder.

    Args:
        work_dirs: As :func:`mmlth.analysis.runs.find_runs` takes them.
        out: Folder of the report: ``report.html``, ``report.md``, ``figures/``, ``data/``,
            ``tables/``.
        title: Heading of the report. Default: ``'Lottery tickets'``.

    Returns:
        Path: ``report.html``.

    Raises:
        UserError: A folder is no lottery or study, nothing is finished, or ``out`` cannot be
            written to.
    """
    found = find_runs(work_dirs)
    sections, skipped = run_analyses(found.runs)
    with TemporaryDirectory() as pictures:      # the report has copies of its own
        more, why_not, remarks = network_sections(found.runs, pictures)
        sections, skipped = [*sections, *more], {**skipped, **why_not}
        overview = overview_section(found, sections, skipped, remarks)
        return write_report([overview, *sections], out, title=title)


def run_analyses(runs: Sequence[Run]) -> Tuple[List[Section], Dict[str, str]]:
    """The sections of all analyses that apply, and why others do not (name -> reason)."""
    sections: List[Section] = []
    skipped: Dict[str, str] = {}
    for name, analysis in ANALYSES.items():
        try:
            sections.append(analysis(runs))
        except UserError as error:
            skipped[name] = str(error)
    return sections, skipped
