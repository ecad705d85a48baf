"""Masks drawn early: their IoU with the final mask, and what they reach (Fig. 2f)."""
import csv
from math import isfinite
from typing import Any, Dict, Iterator, List, Optional, Sequence

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.metrics import Metric
from mmlth.report import Figure, Reference, Section, Series
from mmlth.report.keys import slug

from ..compare.between import Differences, Pair
from ..compare.families import families
from ..compare.groups import Cell, Group, group_runs
from ..compare.rows import BAND, BAND_TEXT, dense_line, line, ticket_spread
from ..compare.sparsities import percent
from ..compare.statistics import Spread, spread
from ..found.run import Run
from ..measure.evaluate import Evaluations

# Label of a line -> column of the curve.
LINES = {'IoU with the final mask': 'iou_final', 'IoU by chance': 'chance',
         'IoU of the pruned with the final mask': 'iou_final_pruned',
         'IoU of the pruned by chance': 'chance_pruned'}
_OF_SURVIVORS = ('iou_final', 'chance')     # all that older versions wrote


def early_bird_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """A figure per model, data set, task and family of settings: mAP left, IoU right.

    Raises:
        UserError: No lottery has an EarlyBirdHook.
    """
    figures, rows = [], []
    against = Differences('of the dense training')
    for group in group_runs(runs):
        found = [f for f in families(group.cells, 'early_bird') if _is_early_bird(f)]
        for family in found:
            curves = _agreement(family)
            for metric in group.metrics:
                figure = _figure(group, metric, family, curves)
                if len(found) > 1:
                    figure.caption += f' Scope sparsity {percent(family[0].scope_sparsity)} %.'
                figures.append(figure)
                rows += [dict(group=group.label, scope_sparsity=family[0].scope_sparsity, **r)
                         for r in _rows(family, metric, curves)]
                against.add(f'{group.label}, {metric.task}, early birds of '
                            f'{percent(family[0].scope_sparsity)} %', 'the ticket drawn at the end',
                            _pairs(family), metric)
    if not figures:
        raise UserError('no lottery has an EarlyBirdHook')
    return [Section(
        'early-bird', 'Masks drawn early', '\n\n'.join(filter(None, [
            against.text(), _TEXT])), rows, {}, figures, paper='Fig. 2f')]


_TEXT = (
    'Masks drawn while the dense model is trained: the intersection over union of their surviving '
    'weights with those of the final mask (right), and of the pruned ones, which the paper means '
    '("the overlap in the parameters being pruned", around 0.96 there), each beside what two '
    'random masks of the same density would have, and what tickets with such masks reach (left), '
    f'where the dense training was ended there. {BAND_TEXT} The lines across are the dense model '
    'and the ticket drawn at the end, with one standard deviation.')


def read_curve(run: Run) -> List[Dict[str, float]]:
    """``iteration`` and the columns of :data:`LINES` of each candidate of the dense training.

    Those of the pruned are missing in curves of older versions.
    Empty where there is no curve, or the training was cut short: its own end is no final mask.
    """
    path = run.dense.folder / paths.EARLY_BIRD / paths.EARLY_BIRD_CSV
    if not run.dense.trained_fully or not path.is_file():
        return []
    try:
        with open(path, newline='', encoding='utf-8') as file:
            reader = csv.DictReader(file)
            keys = ['iteration', *(key for key in LINES.values()
                                   if key in _OF_SURVIVORS or key in (reader.fieldnames or []))]
            rows = [{key: float(row[key]) for key in keys} for row in reader]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []
    return [row for row in rows if all(map(isfinite, row.values()))]


def _is_early_bird(family: Sequence[Cell]) -> bool:
    return any(_ended_early(cell) or any(map(read_curve, cell.runs)) for cell in family)


def _ended_early(cell: Cell) -> bool:
    return any(run.dense.found_early for run in cell.runs)


def _agreement(family: Sequence[Cell]) -> List[Series]:
    """IoU and chance over the seeds that have a candidate of that iteration."""
    curves = [read_curve(run) for cell in family for run in cell.runs]
    at = sorted({row['iteration'] for curve in curves for row in curve})
    series = []
    for label, key in LINES.items():
        found = {iteration: [row[key] for curve in curves for row in curve
                             if row['iteration'] == iteration and key in row] for iteration in at}
        values = {iteration: spread(of) for iteration, of in found.items() if of}
        series.append(Series(label, list(values), [v.mean for v in values.values()],
                             [None if v.std is None else BAND * v.std for v in values.values()]))
    return [line for line in series if line.x]


def _figure(group: Group, metric: Metric, family: Sequence[Cell],
            curves: List[Series]) -> Figure:
    early = [cell for cell in family if _ended_early(cell)]
    tickets = line('early-bird', early, _drawn_at, ticket_spread(metric))
    references = dense_line(group, metric)
    final = _final(family, metric)
    if final is not None:
        references.append(Reference('ticket drawn at the end', final.mean, final.std))
    return Figure(
        slug('early-bird', group.label, metric.task), 'lines',
        f'{group.label}: tickets of masks drawn early, and the agreement of such masks with '
        'the final one.', 'iteration of the dense training', metric.axis,
        [tickets] if tickets.x else [], references, curves, 'IoU' if curves else '')


def _drawn_at(cell: Cell) -> float:
    """Iterations of the dense training; an early-bird rule may differ by seed."""
    return sum(run.dense.iterations for run in cell.runs) / len(cell.runs)


def _pairs(family: Sequence[Cell]) -> Iterator[Pair]:
    """Each early bird with the ticket drawn at the end, of the lottery with most seeds."""
    last = max(_drawn_late(family), key=lambda cell: len(cell.runs), default=None)
    if last is not None:
        for cell in sorted(filter(_ended_early, family), key=_drawn_at):
            yield f'iteration {_drawn_at(cell):.0f}', cell, last


def _drawn_late(family: Sequence[Cell]) -> List[Cell]:
    """Tickets of full dense trainings."""
    return [cell for cell in family if all(run.dense.trained_fully for run in cell.runs)]


def _final(family: Sequence[Cell], metric: Metric) -> Optional[Spread]:
    """What the tickets of full dense trainings reach."""
    values = [v for cell in _drawn_late(family) for v in cell.values(metric).values()]
    return spread(values) if values else None


def _rows(family: Sequence[Cell], metric: Metric,
          curves: List[Series]) -> List[Dict[str, Any]]:
    rows: List[Dict[str, Any]] = []
    for cell in family:
        value = ticket_spread(metric)(cell)
        rows.append(_entry(_drawn_at(cell), metric.axis, value))
    for series in curves:
        rows += [dict(iteration=at, quantity=series.label, mean=y,
                      std=None if error is None else error / BAND, seeds=None)
                 for at, y, error in zip(series.x, series.y, series.error or ())]
    return rows


def _entry(iteration: float, quantity: str, value: Optional[Spread]) -> Dict[str, Any]:
    return dict(iteration=iteration, quantity=quantity, mean=value and value.mean,
                std=value and value.std, seeds=value.n if value else 0)
