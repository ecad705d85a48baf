"""Performance against sparsity, direct against transferred, by backbone (Figs. 1, 2a and 3)."""
from typing import Dict, List, Sequence, Tuple

from mmlth.core.errors import UserError
from mmlth.report import Figure, Section, Series

from .groups import Cell, Group, families, family_labels, group_runs
from .labels import DIRECT
from .metrics import Metric
from .rows import BAND, BAND_TEXT, columns, dense_line, line, row, slug, ticket_spread
from .runs import Run


def sparsity_section(runs: Sequence[Run]) -> Section:
    """A figure per model, data set and task.

    Raises:
        UserError: No model has tickets of two sparsities, or of two origins.
    """
    figures, rows = [], []
    for group in group_runs(runs):
        labelled = curves_of(group)
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
            rows += [row(group, cell, metric, label) for label, cells in labelled
                     for cell in cells]
    if not figures:
        raise UserError('no model has tickets of two sparsities or of two origins')
    return Section(
        'sparsity', 'Performance against sparsity',
        'What tickets reach at each sparsity, those drawn of the task itself (direct) and, '
        'where there are any, those transferred from another. Network sparsity counts all '
        f'parameters. {BAND_TEXT} The horizontal line is the dense mean, its band one standard '
        'deviation. Change: ticket less dense, over shared seeds where there are any.',
        rows, columns(), figures, paper='Figs. 1 and 2a')


def backbone_section(runs: Sequence[Run]) -> Section:
    """Change from dense against sparsity, a line per model (Fig. 3).

    Raises:
        UserError: No data set has two models with direct tickets.
    """
    figures, rows = [], []
    for (data, _), members in _by_data(group_runs(runs)).items():
        series = []
        for group, metric, cells in members:
            series.append(_change_line(group, metric, cells))
            rows += [row(group, cell, metric) for cell in cells]
        metric = members[0][1]
        figures.append(Figure(
            slug('backbones', data, metric.task), 'lines',
            f'{data}: change of {metric.axis} from each dense model. {BAND_TEXT}',
            'network sparsity (%)', metric.change_axis, series))
    if not figures:
        raise UserError('no data set has direct tickets of two models')
    return Section(
        'backbones', 'Tickets of different models',
        'Change from the dense model against sparsity, direct tickets, one line per model. '
        f'{BAND_TEXT} Where dense model and ticket share seeds, the change is that of each seed.',
        rows, columns(), figures, paper='Fig. 3')


def curves_of(group: Group) -> List[Tuple[str, List[Cell]]]:
    """Label and cells of each curve: the direct ones and those of transferred tickets.

    Of direct tickets the family with most sparsities stands for the method; others are shown
    if they have two sparsities at least.
    """
    direct = sorted(families([c for c in group.cells if c.method == DIRECT], 'sparsity'),
                    key=lambda f: (-_sparsities(f), -sum(len(c.runs) for c in f)))
    direct = direct[:1] + [f for f in direct[1:] if _sparsities(f) > 1]
    others = families([c for c in group.cells
                       if c.settings.get('transfer') and not c.settings.get('control')],
                      'sparsity')
    usual = direct[0][0].settings if direct else None
    labels = [*family_labels(direct, ['sparsity'], usual), *family_labels(others, ['sparsity'])]
    return list(zip(labels, [*direct, *others]))


def main_direct(group: Group) -> List[Cell]:
    """The direct tickets that differ in sparsity alone; may be empty."""
    labelled = curves_of(group)
    return labelled[0][1] if labelled and labelled[0][0] == DIRECT else []


def _by_data(groups: Sequence[Group]) -> Dict[tuple, List[Tuple[Group, Metric, List[Cell]]]]:
    """Data set and task -> groups with direct tickets, where there are two or more."""
    found: Dict[tuple, List[Tuple[Group, Metric, List[Cell]]]] = {}
    for group in groups:
        for metric in group.metrics:
            cells = [c for c in main_direct(group) if group.compare(c, metric)]
            if cells:
                found.setdefault((group.data, metric.task), []).append((group, metric, cells))
    return {key: members for key, members in found.items() if len(members) > 1}


def _change_line(group: Group, metric: Metric, cells: Sequence[Cell]) -> Series:
    points = [(cell.network_sparsity, group.compare(cell, metric))
              for cell in sorted(cells, key=_network_sparsity)]
    label = group.model if group.label == f'{group.model}, {group.data}' else group.label
    return Series(label, [at for at, _ in points], [c.difference for _, c in points],
                  [None if c.std is None else BAND * c.std for _, c in points])


def _network_sparsity(cell: Cell) -> float:
    return cell.network_sparsity


def _sparsities(family: Sequence[Cell]) -> int:
    return len({round(cell.scope_sparsity, 2) for cell in family})
