"""Change of an average precision from the dense model, in percent of it, over seeds."""
from dataclasses import replace
from typing import Any, Callable, Dict, Hashable, List, Optional

from ..measure.evaluate import TASKS, Evaluation, Evaluations
from .groups import Cell, Group
from .statistics import Comparison, compare, spread
from .wording import first_text

BySeed = Dict[Hashable, Evaluation]
Values = Dict[Hashable, float]
Pick = Callable[[Dict[str, Any]], Optional[float]]


def dense_of(group: Group, evaluations: Evaluations, cell: Optional[Cell] = None) -> BySeed:
    """Seed -> evaluation of the dense model, of several the first; see :meth:`Group.with_dense`."""
    found: BySeed = {}
    for run in group.with_dense(cell):
        evaluation = evaluations.get(run.dense)
        if evaluation is not None:
            found.setdefault(run.seed, evaluation)
    return found


def tickets_of(cell: Cell, evaluations: Evaluations) -> BySeed:
    """Seed -> evaluation of the ticket."""
    found = {run.seed: evaluations.get(run.ticket) for run in cell.runs}
    return {seed: evaluation for seed, evaluation in found.items() if evaluation is not None}


def values(evaluations: BySeed, kind: str, pick: Pick) -> Values:
    """Seed -> what ``pick`` takes from the precision of ``kind``, where it was measured."""
    found = {seed: pick(evaluation['precision'][kind])
             for seed, evaluation in evaluations.items() if kind in evaluation['precision']}
    return {seed: value for seed, value in found.items() if value is not None}


def change(dense: Values, ticket: Values) -> Optional[Comparison]:
    """Ticket less dense in percent of the dense mean, paired as :func:`compare` does it.

    None where nothing was measured or the dense mean is 0.
    """
    found = compare(dense, ticket)
    if found is None or not found.dense.mean:
        return None
    scale = 100 / found.dense.mean
    return replace(
        found, difference=scale * found.difference, std=found.std and scale * found.std,
        interval=found.interval and (scale * found.interval[0], scale * found.interval[1]))


def ap_cells(moved: Optional[Comparison], dense: Values, ticket: Values) -> Dict[str, Any]:
    """Both mean APs in percent and the ticket's seeds, of the seeds that a change is over.

    Args:
        moved: Of :func:`change`; where it is None, all seeds count.
        dense, ticket: What was compared.
    """
    before, after = (moved.dense, moved.ticket) if moved else (
        spread(dense.values()), spread(ticket.values()))
    return dict(seeds=after.n, dense=100 * before.mean, ticket=100 * after.mean)


def kinds_of(evaluations: BySeed) -> List[str]:
    """The kinds of precision that were measured: boxes, masks, keypoints."""
    return [kind for kind in TASKS if any(kind in e['precision'] for e in evaluations.values())]


def protocol_of(evaluations: BySeed, kind: str) -> str:
    """What the AP of a kind is, in words."""
    protocol = next(e['precision'][kind]['protocol'] for e in evaluations.values())
    return ('AP as in the config (Pascal VOC)' if protocol == 'Pascal VOC'
            else 'AP at OKS 0.50 to 0.95' if kind == 'keypoints' else 'AP at IoU 0.50 to 0.95')


def missing_text(evaluations: Evaluations) -> str:
    """Which runs were not evaluated, and why; empty if all were."""
    return _grouped(evaluations.problems)


def remarks(evaluations: Evaluations) -> List[str]:
    """Paragraphs on runs that were not evaluated or with other results than noted."""
    missing, doubts = missing_text(evaluations), _grouped(evaluations.doubts)
    return [*(['Without sizes, categories, samples and FLOPs, for they were not evaluated: '
               f'{missing}.'] if missing else []),
            *([f'Evaluated otherwise than noted: {doubts}.'] if doubts else []),
            *([f'Left out: {_grouped(evaluations.left_out)}.'] if evaluations.left_out else [])]


def _grouped(reasons: Dict[str, str]) -> str:
    """Names with the same reason together."""
    found: Dict[str, List[str]] = {}
    for name, why in reasons.items():
        found.setdefault(why, []).append(name)
    return '; '.join(f'{first_text(names)}: {why}' for why, names in found.items())
