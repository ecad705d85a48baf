"""Winning tickets by the paper's rule, and a proper test beside it (the paper, 4.3)."""
from collections import Counter
from typing import Any, Dict, List, Optional, Sequence, Tuple

from mmlth.core.errors import UserError
from mmlth.metrics import Metric
from mmlth.report import Figure, Reference, Section, Series

from ..compare.families import labels_of
from ..compare.groups import Cell, Group, group_runs
from ..compare.rows import COMPARISON, comparison_cells, slug
from ..compare.statistics import Comparison
from ..found.labels import DIRECT
from ..found.run import Run
from ..measure.evaluate import Evaluations

COLUMNS = {
    'group': 'model, data', 'task': 'task', 'method': 'ticket',
    'scope_sparsity': 'scope sparsity (%)', 'network_sparsity': 'network sparsity (%)',
    'from_start': 'iterations from start', 'dense_iterations': 'dense: iterations',
    'chain': 'iterations, whole chain', **COMPARISON, 'verdict': 'winning ticket?'}


def verdict_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """One row per setting and task, a figure of all settings per model, data set and task.

    Raises:
        UserError: No ticket can be compared with a dense model.
    """
    rows, figures = [], []
    for group in group_runs(runs):
        labels = labels_of(group.cells)
        for metric in group.metrics:
            compared = [(cell, label, group.compare(cell, metric))
                        for cell, label in zip(group.cells, labels)]
            compared = [entry for entry in compared if entry[2] is not None]
            rows += [_row(group, cell, metric, label, comparison)
                     for cell, label, comparison in compared]
            if len(compared) > 1:
                figures.append(_figure(group, metric, compared))
    if not rows:
        raise UserError('no ticket and its dense model were both evaluated')
    return [Section('verdict', 'Which tickets win', f'{_text(rows)}\n\n{_RULE}', rows, COLUMNS,
                    figures, paper='Section 4.3')]


_RULE = (
    'The paper\'s rule: a winning ticket is within one standard deviation of the dense model or '
    'better: its mean over seeds is not worse than the dense mean by more than one sample standard '
    'deviation of the dense model. That rule asks for no proof: with a wide spread it is easily '
    'passed. So a two-sided t test of the difference stands beside it, paired where ticket and '
    'dense model share seeds, else Welch\'s, with the 95 % confidence interval of the '
    'difference. p values are not corrected for the number of rows. No difference found does not '
    'mean that there is none; the interval says how large it may be. With one seed there is no '
    'standard deviation, so no verdict is possible.')


def _figure(group: Group, metric: Metric,
            compared: Sequence[Tuple[Cell, str, Comparison]]) -> Figure:
    """Every setting's change from dense: a bar each, coloured by method."""
    series: Dict[str, Series] = {}
    names = _names([(label, cell) for cell, label, _ in compared])
    for (cell, _, comparison), name in zip(compared, names):
        bars = series.setdefault(cell.method, Series(cell.method, [], [], []))
        bars.x.append(name)
        bars.y.append(comparison.difference)
        bars.error.append(comparison.std)
    dense = compared[0][2].dense
    return Figure(
        slug('verdict', group.label, metric.task), 'bars',
        f'{group.label}: {metric.change_axis}, mean over seeds. Whiskers: one sample standard '
        'deviation of the difference; band: one of the dense model; a ticket wins within it '
        'or on its better side (none with one seed).', '', metric.change_axis,
        list(series.values()), [Reference('dense', 0, dense.std)])


def _names(cells: Sequence[Tuple[str, Cell]]) -> List[str]:
    """Each label with the cell's scope sparsity; a number behind what is there already."""
    names, seen = [], Counter()
    for label, cell in cells:
        name = f'{label}, {cell.scope_sparsity:.3g} %'
        seen[name] += 1
        names.append(f'{name} ({seen[name]})' if seen[name] > 1 else name)
    return names


def _row(group: Group, cell: Cell, metric: Metric, label: str,
         found: Comparison) -> Dict[str, Any]:
    return dict(
        group=group.label, task=metric.task, metric=metric.name, method=label,
        scope_sparsity=cell.scope_sparsity, network_sparsity=cell.network_sparsity,
        from_start=cell.length('from_start'), dense_iterations=group.dense_iterations,
        chain=cell.length('chain'), **comparison_cells(found), verdict=verdict(found))


def verdict(found: Comparison) -> str:
    """In words; ``'no verdict (one seed)'`` where there is no spread to judge by."""
    if found.winning is None:
        return 'no verdict (one seed)'
    return 'yes' if found.winning else 'no'


def _text(rows: List[Dict[str, Any]]) -> str:
    """What the rows say, counted."""
    judged = [row for row in rows if row['verdict'] in ('yes', 'no')]
    if not judged:
        return 'No verdict is possible: each ticket or its dense model has one seed.'
    controls = [row for row in judged if _is_control(row)]
    tickets = [row for row in judged if not _is_control(row)]
    text = (f'Of {len(tickets)} tickets with a verdict {_winning(tickets)} are winning tickets by '
            'the paper\'s rule')
    text += (f', and of {len(controls)} controls {_winning(controls)} would be.' if controls
             else '.')
    clear = [row for row in tickets if row['worse']]
    text += (
        ' The 95 % confidence interval of the difference lies wholly on the worse side of 0 for '
        f'{len(clear)} of the tickets; of these {_winning(clear)} win by the rule.' if clear else
        ' No ticket has a 95 % confidence interval of the difference wholly on the worse side of 0.'
        )
    best = best_direct(judged)
    if best:
        text += (f' The sparsest direct winning ticket: {best["network_sparsity"]:.1f} % network '
                 f'sparsity ({best["group"]}, {best["task"]}: {best["ticket"]} against '
                 f'{best["dense"]} dense).')
    longer = [row['from_start'] / row['dense_iterations'] for row in tickets
              if row['from_start'] and row['dense_iterations']
              and row['from_start'] > row['dense_iterations']]
    if longer:
        text += (f' {len(longer)} of the tickets were trained longer than the dense model, from '
                 f'their start on, up to {max(longer):.2f} times as long: what they gain may be '
                 'due to that.')
    without = len(rows) - len(judged)
    return text + (f' {without} rows have one seed and no verdict.' if without else '')


def best_direct(rows: Sequence[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """The row of the sparsest winning ticket that was drawn of its own task, no control."""
    winning = [row for row in rows if row['verdict'] == 'yes'
               and row['method'].startswith(DIRECT)]
    return max(winning, key=lambda row: row['network_sparsity'], default=None)


def _winning(rows: Sequence[Dict[str, Any]]) -> int:
    return sum(row['verdict'] == 'yes' for row in rows)


def _is_control(row: Dict[str, Any]) -> bool:
    return row['method'].startswith('control')
