"""One setting at a time: rewinding point, rounds, allocation (Figs. 2b, 2d and 2e)."""
from typing import Callable, List, Optional, Sequence

from mmlth.core.errors import UserError
from mmlth.metrics import Metric
from mmlth.report import Figure, Section, Series
from mmlth.report.keys import slug

from ..compare.between import Choice, Differences, as_sparse, extremes_text
from ..compare.correction import correct
from ..compare.endings import evidence_text
from ..compare.families import family_labels, varied
from ..compare.groups import Cell, Group, group_runs
from ..compare.rows import BAND_TEXT, columns, dense_line, line, row, ticket_spread, with_metric
from ..compare.statistics import spread
from ..found.labels import USUAL
from ..found.run import Run
from ..measure.evaluate import Evaluations


def rewinding_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """Performance against the iteration that tickets are rewound to.

    Raises:
        UserError: No lotteries differ in it.
    """
    section = _section(
        runs, 'to', 'rewinding', 'Rewinding point', 'rewound to iteration',
        lambda cell: cell.runs[0].rewound_to,
        'Tickets rewound to different points of the dense training, all else equal; 0 is the '
        'initialisation (of a pretrained backbone, its pretrained weights). Where the schedule '
        'restarts after rewinding, later points are trained longer ("from start").')
    section.paper = 'Fig. 2b'
    return [section]


def rounds_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """Performance against the number of rounds.

    Raises:
        UserError: No lotteries differ in it.
    """
    section = _section(
        runs, 'rounds', 'rounds', 'Rounds of pruning', 'rounds',
        lambda cell: float(cell.settings['rounds']),
        'The same final sparsity reached in one round (one-shot) or several (iterative '
        'magnitude pruning), all else equal.')
    section.paper = 'Fig. 2d'
    return [section]


def allocation_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """Performance against sparsity for each way to spread it over layers.

    Raises:
        UserError: No lotteries differ in it.
    """
    figures, rows, vary, groups = [], [], ('allocation', 'sparsity'), group_runs(runs)
    against, usual = Differences(), str(USUAL['allocation'])
    for group in groups:
        members = varied(group, *vary)
        labels = family_labels(members, vary)
        for metric in group.metrics:
            series: List[Series] = []
            for family, label in zip(members, labels):
                for allocation in dict.fromkeys(c.settings['allocation'] for c in family):
                    cells = [c for c in family if c.settings['allocation'] == allocation]
                    name = allocation if len(members) == 1 else f'{allocation}, {label}'
                    series.append(line(name, cells, lambda c: c.scope_sparsity,
                                       ticket_spread(metric)))
                    rows += [row(group, c, metric, name) for c in cells]
                    against.add(f'{group.label}, {metric.task}, {name}', usual, as_sparse(
                        cells, [c for c in family if c.settings['allocation'] == usual]), metric)
            if any(s.x for s in series):
                figures.append(Figure(
                    slug('allocation', group.label, metric.task), 'lines',
                    f'{group.label}: {metric.axis} by the allocation of sparsity. {BAND_TEXT}',
                    'scope sparsity (%)', metric.axis, [s for s in series if s.x],
                    dense_line(group, metric)))
    if not figures:
        raise UserError('no two lotteries differ in the allocation of sparsity')
    rows, finding = correct(rows), against.text()
    return [Section(
        'allocation', 'Layerwise against global pruning',
        '\n\n'.join(filter(None, [
            finding, 'The same sparsity in every layer (layerwise) against one '
            f'threshold for all weights (global), all else equal. {BAND_TEXT}',
            evidence_text(rows, groups)])), rows,
        with_metric({**columns(), 'method': 'allocation'}, rows), figures, paper='Fig. 2e',
        finding=finding)]


def _section(runs: Sequence[Run], key: str, name: str, title: str, xlabel: str,
             x: Callable[[Cell], Optional[float]], text: str) -> Section:
    """A figure per model, data set and task with ``x`` of the setting ``key``."""
    figures, rows, choices = [], [], []
    groups = group_runs(runs)
    for group in groups:
        members = [_in_order(family, x) for family in varied(group, key)]
        labels = family_labels(members, [key])
        for metric in group.metrics:
            series = [line(label, cells, x, ticket_spread(metric))
                      for label, cells in zip(labels, members)]
            rows += _rows(group, metric, members, labels, key, x)
            choices += [_choice(group, metric, label, cells, key)
                        for label, cells in zip(labels, members)]
            if any(s.x for s in series):
                figures.append(Figure(
                    slug(name, group.label, metric.task), 'lines',
                    f'{group.label}: {metric.axis}, tickets that differ in this alone. '
                    f'{BAND_TEXT}', xlabel, metric.axis, [s for s in series if s.x],
                    dense_line(group, metric)))
    if not figures:
        raise UserError(f'no two lotteries differ in their {title.lower()} alone')
    rows, finding = correct(rows), extremes_text(choices, title.lower())
    return Section(name, title, '\n\n'.join(filter(None, [
        finding, f'{text} {BAND_TEXT}',
        evidence_text(rows, groups)])), rows, with_metric(columns(at=xlabel), rows), figures,
        finding=finding)


def _in_order(family: Sequence[Cell], x: Callable[[Cell], Optional[float]]) -> List[Cell]:
    """Those that have an x."""
    known = ((x(cell), cell) for cell in family)
    return [cell for _, cell in sorted(((at, cell) for at, cell in known if at is not None),
                                       key=lambda each: each[0])]


def _rows(group: Group, metric: Metric, members: Sequence[List[Cell]], labels: Sequence[str],
          key: str, x: Callable[[Cell], Optional[float]]) -> List[dict]:
    return [row(group, cell, metric, label, setting=str(cell.settings[key]), at=x(cell))
            for label, cells in zip(labels, members) for cell in cells]


def _choice(group: Group, metric: Metric, label: str, cells: Sequence[Cell], key: str) -> Choice:
    dense = group.dense(metric)
    return Choice(f'{group.label}, {metric.task}, {label}',
                  {str(cell.settings[key]): cell.values(metric) for cell in cells},
                  spread(dense.values()) if dense else None)
