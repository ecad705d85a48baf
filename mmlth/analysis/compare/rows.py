"""Rows of tables and lines of figures that several analyses share."""
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from mmlth.metrics import Metric
from mmlth.report import Reference, Series

from .amounts import interval_text, spread_text
from .correction import NO_SPREAD, ONE_SEED
from .groups import Cell, Group
from .statistics import BySeed, Comparison, Spread, spread

# The paper's figures: "error bands are within 3 times the standard deviation".
BAND = 3
BAND_TEXT = (f'Lines are means over seeds, bands ±{BAND} sample standard deviations (none with '
             'one seed).')

COLUMNS = {
    'group': 'model, data', 'task': 'task', 'method': 'method',
    'scope_sparsity': 'scope sparsity (%)', 'network_sparsity': 'network sparsity (%)',
    'compute_sparsity': 'compute sparsity (%)',
    'from_start': 'iterations from start', 'chain': 'iterations, whole chain',
    'seeds': 'seeds', 'mean': 'mean', 'std': 'σ', 'dense_mean': 'dense', 'dense_std': 'dense σ',
    'change': 'change', 'interval': '95 % interval', 'p_corrected': 'p (Holm)'}
# Headings of a table whose rows have a change beside what was measured.
CHANGE = {key: COLUMNS[key] for key in ('change', 'interval', 'p_corrected')}
COMPARISON = {
    'dense': 'dense', 'ticket': 'ticket', 'difference': 'difference',
    'interval': '95 % confidence interval', 'p': 'p', 'p_corrected': 'p (Holm)', 'test': 'test',
    'n': 'n'}


def row(group: Group, cell: Cell, metric: Metric, method: Optional[str] = None,
        **more: Any) -> Dict[str, Any]:
    """A cell's result beside its dense model's; ``more`` keys stand behind the method.

    Metrics in their unit (percent), sparsities in percent, None where nothing was measured. Means
    and deviations are over the seeds that the change is over, so that they differ by it.
    """
    found = group.compare(cell, metric)
    ticket, dense = (found.ticket, found.dense) if found else (
        _spread(cell.values(metric)), _spread(group.dense(metric, cell=cell)))
    return dict(
        group=group.label, task=metric.task, metric=metric.name,
        method=method or cell.method, **more,
        scope_sparsity=cell.scope_sparsity, network_sparsity=cell.network_sparsity,
        compute_sparsity=cell.compute_sparsity,
        from_start=cell.length('from_start'), chain=cell.length('chain'),
        seeds=ticket.n if ticket else 0, mean=ticket and ticket.mean, std=ticket and ticket.std,
        dense_mean=dense and dense.mean, dense_std=dense and dense.std, **change_cells(found))


def _spread(values: BySeed) -> Optional[Spread]:
    return spread(values.values()) if values else None


def change_cells(found: Optional[Comparison]) -> Dict[str, Any]:
    """The change from the dense model with its test as cells; None in all where there is none."""
    keys = ('interval', 'low', 'high', 'worse', 'p', 'test', 'n')
    cells = dict.fromkeys(keys) if found is None else difference_cells(found)
    return dict(change=found and found.difference, **{key: cells[key] for key in keys})


def difference_cells(found: Comparison) -> Dict[str, Any]:
    """A difference as cells, with its interval and its test; ``p`` is not corrected."""
    low, high = found.interval or (None, None)
    return dict(
        difference=found.difference, interval=interval_text(found), low=low, high=high,
        worse=found.worse, p=found.p, test=_test(found), n=found.n)


def comparison_cells(found: Comparison) -> Dict[str, Any]:
    """A comparison with the dense model as cells: means and spreads, difference, interval, test."""
    return dict(
        dense=spread_text(found.dense), ticket=spread_text(found.ticket),
        dense_mean=found.dense.mean, dense_std=found.dense.std, dense_seeds=found.dense.n,
        ticket_mean=found.ticket.mean, ticket_std=found.ticket.std,
        ticket_seeds=found.ticket.n, **difference_cells(found))


def _test(found: Comparison) -> str:
    if found.interval is None:
        return ONE_SEED if None in (found.dense.std, found.ticket.std) else NO_SPREAD
    return 'paired' if found.paired else 'Welch'


def columns(**more: str) -> Dict[str, str]:
    """The headings of :func:`row`, ``more`` behind the method."""
    before = ('group', 'task', 'method')
    return {**{k: COLUMNS[k] for k in before}, **more,
            **{k: v for k, v in COLUMNS.items() if k not in before}}


def with_metric(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Dict[str, str]:
    """The columns, behind the task the metric's name where a task has rows of several metrics.

    Args:
        columns: With ``'task'``; ``'label'`` among them tells metrics apart too.
        rows: With ``task`` and ``metric``.
    """
    names: Dict[tuple, Set[str]] = {}
    for row in rows:
        task = row['task'], row['label'] if 'label' in columns else ''
        names.setdefault(task, set()).add(row['metric'])
    if all(len(found) == 1 for found in names.values()):
        return dict(columns)
    place = list(columns).index('task') + 1
    items = list(columns.items())
    return dict([*items[:place], ('metric', 'metric, as evaluated'), *items[place:]])


def line(label: str, cells: Sequence[Cell], x: Callable[[Cell], Optional[float]],
         sample: Callable[[Cell], Optional[Spread]]) -> Series:
    """A line with its band, in the order of x; cells without a value or an x are left out."""
    found = ((x(cell), sample(cell)) for cell in cells)
    points = sorted(((at, value) for at, value in found if at is not None and value is not None),
                    key=lambda point: point[0])
    return Series(label, [at for at, _ in points], [value.mean for _, value in points],
                  [band(value) for _, value in points])


def bars(found: Iterable[Tuple[str, str, Comparison]]) -> List[Series]:
    """Differences as bars with their deviations: of each a label, which colours it, and a name."""
    groups: Dict[str, List[Tuple[str, Comparison]]] = {}
    for label, name, difference in found:
        groups.setdefault(label, []).append((name, difference))
    return [Series(label, [name for name, _ in own], [each.difference for _, each in own],
                   [each.std for _, each in own]) for label, own in groups.items()]


def band(value: Spread) -> Optional[float]:
    """Half the height of a band."""
    return None if value.std is None else BAND * value.std


def ticket_spread(metric: Metric) -> Callable[[Cell], Optional[Spread]]:
    """What :func:`line` plots of a metric."""
    def of(cell: Cell) -> Optional[Spread]:
        return _spread(cell.values(metric))
    return of


def dense_line(group: Group, metric: Metric) -> List[Reference]:
    """The dense mean with its one-σ band; nothing where no dense model was measured."""
    dense = _spread(group.dense(metric))
    return [Reference('dense', dense.mean, dense.std)] if dense else []
