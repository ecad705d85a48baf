"""Performance against sparsity, direct against transferred, by backbone (Figs. 1, 2a and 3)."""
from typing import Dict, List, Sequence, Tuple

from mmlth.core.errors import UserError
from mmlth.metrics import Metric
from mmlth.report import Figure, Section, Series
from mmlth.report.keys import slug

from ..compare.between import Differences, no_sparser
from ..compare.correction import correct
from ..compare.endings import evidence_text
from ..compare.families import curves_of, main_cells
from ..compare.groups import Cell, Group, group_runs
from ..compare.rows import (BAND, BAND_TEXT, columns, dense_line, line, row, ticket_spread,
                            with_metric)
from ..found.labels import DIRECT
from ..found.run import Run
from ..measure.evaluate import Evaluations


def sparsity_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """A figure per model, data set and task.

    Raises:
        UserError: No model has tickets of two sparsities, or of two origins.
    """
    figures, rows, groups, against = [], [], group_runs(runs), Differences()
    for group in groups:
        labelled, main = curves_of(group), main_cells(group)
        for metric in group.metrics:
            series = [line(label, cells, _network_sparsity, ticket_spread(metric))
                      for label, cells in labelled]
            series = [s for s in series if s.x]
            if sum(len(s.x) for s in series) < 2:
                continue
            figures.append(Figure(
                slug('sparsity', group.label, metric.task), 'lines',
                f'{group.label}: {metric.axis} against sparsity. {BAND_TEXT}',
                'network sparsity (%)', metric.axis, series, dense_line(group, metric)))
            for label, cells in labelled:
                rows += [row(group, cell, metric, label) for cell in cells]
                moved = [cell for cell in cells if cell.settings['transfer']]
                against.add(f'{group.label}, {metric.task}, {label}', labelled[0][0],
                            no_sparser(moved, main), metric)
    if not figures:
        raise UserError('no model has tickets of two sparsities or of two origins')
    rows = correct(rows)
    return [Section(
        'sparsity', 'Performance against sparsity', '\n\n'.join(filter(None, [
            against.text(),
            'What tickets reach at each sparsity, those drawn of the task itself and, where there '
            'are any, those transferred from another, which are held against those of the task '
            'itself that prune as much of the network, or the next more. Network sparsity '
            f'counts all parameters. {BAND_TEXT} The horizontal line is the dense mean, its band '
            'one standard deviation. Change: ticket less dense, over shared seeds where there are '
            'any.',
            evidence_text(rows, groups)])),
        rows, with_metric(columns(), rows), figures, paper='Figs. 1 and 2a')]


def backbone_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """Change from dense against sparsity, a line per model (Fig. 3).

    Raises:
        UserError: No data set has two models with tickets of one method, measured by one metric.
    """
    figures, rows, groups = [], [], group_runs(runs)
    found = _by_data(groups)
    for (data, name, method), members in found.items():
        series = []
        for group, metric, cells in members:
            series.append(_change_line(group, metric, cells))
            rows += [row(group, cell, metric) for cell in cells]
        metric = members[0][1]
        several = sum(1 for other in found.values() if other[0][1].axis == metric.axis) > 1
        figures.append(Figure(
            slug('backbones', data, metric.task, *([] if method == DIRECT else [method])), 'lines',
            f'{data}, {method} tickets: change of {metric.axis}{f", {name}," if several else ""} '
            f'from each dense model. {BAND_TEXT}', 'network sparsity (%)', metric.change_axis,
            series))
    if not figures:
        raise UserError('no data set has tickets of two models, drawn by one method and measured '
                        'by one metric')
    rows = correct(rows)
    return [Section(
        'backbones', 'Tickets of different models', '\n\n'.join([
            'Change from the dense model against sparsity, tickets of one method, one line per '
            'model. '
            f'{BAND_TEXT} Where dense model and ticket share seeds, the change is that of each '
            'seed.', evidence_text(rows, groups)]),
        rows, with_metric(columns(), rows), figures, paper='Fig. 3')]


def _by_data(groups: Sequence[Group]) -> Dict[tuple, List[Tuple[Group, Metric, List[Cell]]]]:
    """Data set, metric and method -> groups with its tickets, where there are two or more."""
    found: Dict[tuple, List[Tuple[Group, Metric, List[Cell]]]] = {}
    for group in groups:
        for metric in group.metrics:
            cells = [c for c in main_cells(group) if group.compare(c, metric)]
            if cells:
                found.setdefault((group.data, metric.name, cells[0].method), []).append(
                    (group, metric, cells))
    return {key: members for key, members in found.items() if len(members) > 1}


def _change_line(group: Group, metric: Metric, cells: Sequence[Cell]) -> Series:
    found = ((cell.network_sparsity, group.compare(cell, metric))
             for cell in sorted(cells, key=_network_sparsity))
    points = [(at, compared) for at, compared in found if compared is not None]
    label = group.model if group.label == f'{group.model}, {group.data}' else group.label
    return Series(label, [at for at, _ in points], [c.difference for _, c in points],
                  [None if c.std is None else BAND * c.std for _, c in points])


def _network_sparsity(cell: Cell) -> float:
    return cell.network_sparsity
