"""What methods reach at which training cost, dense models and controls beside them."""
from statistics import fmean
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from mmlth.core.errors import UserError
from mmlth.metrics import Metric
from mmlth.report import Figure, Reference, Section, Series
from mmlth.report.keys import slug

from ..compare.amounts import difference_text, interval_text, mean_text
from ..compare.correction import correct
from ..compare.endings import evidence_text
from ..compare.families import labels_of
from ..compare.groups import Cell, Group, group_runs
from ..compare.rows import (BAND_TEXT, COMPARISON, band, comparison_cells, dense_line, line,
                            ticket_spread, with_metric)
from ..compare.sparsities import by_sparsity, percents
from ..compare.statistics import Comparison, spread
from ..found.run import Run
from ..measure.evaluate import Evaluations

_COLUMNS = {
    'group': 'model, data', 'task': 'task', 'scope_sparsity': 'scope sparsity (%)',
    'method': 'method', 'cost': 'cost (dense trainings)', 'needed': 'iterations needed',
    'from_start': 'iterations from start', 'chain': 'iterations, whole chain', **COMPARISON}
_SAME = 1.05    # of two costs: batches and rewind points do not divide all schedules


class _Point(NamedTuple):
    """A cell beside its dense model."""
    cell: Cell
    label: str
    cost: float
    found: Comparison


def equal_cost_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """A figure per model, data set, task and sparsity: performance against training cost.

    Raises:
        UserError: No tickets of one sparsity differ in what their training costs.
    """
    figures, rows, sentences, groups = [], [], [], group_runs(runs)
    for group in groups:
        # What the source of a transferred ticket has cost is not known here.
        cells = [cell for cell in group.cells if not cell.settings.get('transfer')]
        for metric in group.metrics:
            for sparsity, points in _by_sparsity(group, metric, cells):
                figures.append(_figure(group, metric, sparsity, points))
                sentences.append(_sentence(group, metric, sparsity, points))
                rows += [_row(group, metric, point) for point in points]
    if not figures:
        raise UserError('no tickets of one sparsity differ in what their training costs')
    rows, finding = correct(rows), ' '.join(sentences)
    return [Section(
        'equal-cost', 'At equal cost',
        '\n\n'.join([finding, _TEXT, evidence_text(rows, groups)]),
        rows, with_metric(_COLUMNS, rows), figures, finding=finding)]


_TEXT = (
    'What is reached for how much training: a cost of 1 is the schedule of the dense model. A '
    'ticket costs all rounds that lead to it, the dense one included; if its mask was drawn before '
    'any training, or changes while it trains, only its own training from the initialisation on. '
    'Differences are from the dense model trained once, paired by seed where seeds are shared, '
    'with 95 % confidence intervals; a dense model trained on as a control is the one to compare '
    'with at a higher cost. Transferred tickets are left out: their sources were trained too. '
    f'{BAND_TEXT}')


def _by_sparsity(group: Group, metric: Metric,
                 cells: Sequence[Cell]) -> List[Tuple[str, List[_Point]]]:
    """Each sparsity and its points, the cheapest first, where they differ in cost.

    Dense models, trained on as a control or again, have no sparsity: they stand beside all.
    """
    points = []
    for cell, label in zip(cells, labels_of(cells)):
        cost, compared = group.cost(cell), group.compare(cell, metric)
        if cost is not None and compared is not None:
            points.append(_Point(cell, label, cost, compared))
    dense = [point for point in points if point.cell.prunes_nothing]
    pruned = by_sparsity([point for point in points if point not in dense], _sparsity)
    texts = percents([fmean(map(_sparsity, own)) for own in pruned])
    together = [sorted([*own, *dense], key=lambda point: (point.cost, point.label))
                for own in pruned]
    return [(text, own) for text, own in zip(texts, together)
            if own[-1].cost > _SAME * own[0].cost]


def _figure(group: Group, metric: Metric, sparsity: str, points: Sequence[_Point]) -> Figure:
    """A mark per method; the dense model at a cost of 1, and its line across all costs."""
    values = spread(group.dense(metric).values())
    series = [Series('dense', [1.0], [values.mean], [band(values)])]
    series += [line(label, [point.cell for point in points if point.label == label], group.cost,
                    ticket_spread(metric)) for label in dict.fromkeys(p.label for p in points)]
    return Figure(
        slug('equal-cost', group.label, metric.task, sparsity), 'lines',
        f'{group.label}: {metric.axis} against training cost, tickets of {sparsity} % scope '
        f'sparsity. {BAND_TEXT}', 'training cost (dense trainings)', metric.axis, series,
        [Reference('dense, once', reference.y, reference.error)
         for reference in dense_line(group, metric)])


def _sparsity(point: _Point) -> float:
    return point.cell.scope_sparsity


def _row(group: Group, metric: Metric, point: _Point) -> Dict[str, Any]:
    cell = point.cell
    return dict(
        group=group.label, task=metric.task, metric=metric.name,
        scope_sparsity=cell.scope_sparsity, method=point.label, cost=point.cost,
        needed=cell.needed, from_start=cell.length('from_start'), chain=cell.length('chain'),
        **comparison_cells(point.found))


def _sentence(group: Group, metric: Metric, sparsity: str, points: Sequence[_Point]) -> str:
    """The best of those that cost no more than the dense model, and the best of all.

    Where it is not known what is better, the highest.
    """
    best, words = (min, 'best') if metric.greater is False else (
        max, 'best' if metric.greater else 'highest')
    cheap = [point for point in points if point.cost <= _SAME]
    named = {'for one dense training or less': cheap, 'at any cost': points}
    parts = [_best(best(own, key=lambda point: point.found.ticket.mean), f'{words} {cost} (of '
                   f'{len(own)})') for cost, own in named.items() if own]
    return f'{group.label}, {metric.task}, {sparsity} %: {"; ".join(parts)}.'


def _best(point: _Point, words: str) -> str:
    found = point.found
    interval = interval_text(found)
    return (f'{words} {point.label} with {mean_text(found.ticket)}, '
            f'{difference_text(found)} from dense'
            + (f' (95 % interval {interval})' if interval else '') + f', cost {point.cost:.2f}')
