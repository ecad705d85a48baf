"""All analyses that apply to what is there, and the report of them."""
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from mmlth.report import Section, write_report
from mmlth.report.guard import Guard
from mmlth.report.write import check_folder

from .found.run import Run
from .found.runs import find_runs
from .networks import network_sections
from .sections.ablations import allocation_section, rewinding_section, rounds_section
from .sections.curves import backbone_section, sparsity_section
from .sections.early_bird import early_bird_section
from .sections.latency import latency_section
from .sections.layers import layers_section
from .sections.modules import modules_section
from .sections.overview import overview_section
from .sections.tables import imagenet_section, task_section
from .sections.verdict import verdict_section

EVALUATIONS = 'evaluations'     # in the report's folder

# In the order of the report. Each takes the runs and raises a UserError that says why it has
# nothing to show.
ANALYSES: Dict[str, Callable[[Sequence[Run]], Section]] = {
    'verdict': verdict_section, 'sparsity': sparsity_section, 'models': backbone_section,
    'latency': latency_section, 'rewinding point': rewinding_section, 'layers': layers_section,
    'rounds': rounds_section, 'allocation': allocation_section, 'early-bird': early_bird_section,
    'modules': modules_section, 'ImageNet tickets': imagenet_section,
    'tickets of other tasks': task_section}


def analyze(work_dirs: Sequence, out, title: str = 'Lottery tickets',
            guard: Optional[Guard] = None) -> Path:
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

    Returns:
        Path: ``report.html``.

    Raises:
        UserError: A folder is no lottery or study, nothing is finished, or ``out`` cannot be
            written to, which is told before anything is evaluated.
    """
    found, out, guard = find_runs(work_dirs), Path(out), guard or Guard()
    check_folder(out)
    sections, _ = run_analyses(found.runs, guard)
    with TemporaryDirectory() as pictures:      # the report has copies of its own
        more, skipped, remarks = guard.run('networks', lambda: network_sections(
            found.runs, pictures, spare=out / EVALUATIONS, guard=guard)) or ([], guard.skipped, [])
        sections = [*sections, *more]
        overview = guard.run('overview', lambda: overview_section(
            found, sections, skipped, [*remarks, *filter(None, [guard.text()])]))
        return write_report([*filter(None, [overview]), *sections], out, title=title, guard=guard)


def run_analyses(runs: Sequence[Run], guard: Optional[Guard] = None
                 ) -> Tuple[List[Section], Dict[str, str]]:
    """The sections of all analyses that apply, and why others do not (name -> reason)."""
    guard = guard or Guard()
    found = [guard.run(name, lambda analysis=analysis: analysis(runs))
             for name, analysis in ANALYSES.items()]
    return [section for section in found if section is not None], guard.skipped
