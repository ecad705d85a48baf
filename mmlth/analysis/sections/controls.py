"""Tickets against their controls: is it the mask and the weights together that make them good?"""
import itertools
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

from mmlth.core.errors import UserError
from mmlth.engine import RewindHook
from mmlth.engine.hook_configs import arguments_of
from mmlth.metrics import Metric
from mmlth.report import Figure, Section
from mmlth.report.keys import slug

from ..compare.correction import correct, correction_text
from ..compare.families import families, labels_of
from ..compare.groups import Cell, Group, group_runs
from ..compare.rows import COMPARISON, bars, comparison_cells, with_metric
from ..compare.sparsities import percents
from ..compare.statistics import Comparison, compare
from ..compare.wording import numbered
from ..found.run import Run
from ..measure.evaluate import Evaluations

# How a mask is drawn, and rewound to where: of no effect on a control that prunes nothing.
_DRAWING = ('sparsity', 'sparsities_before', 'scope', 'frozen', 'at', 'allocation', 'score',
            'batches', 'iterations', 'floor', 'to')
_COLUMNS = {
    'group': 'model, data', 'task': 'task', 'label': 'metric', 'method': 'ticket',
    'scope_sparsity': 'scope sparsity (%)', 'control': 'control',
    'from_start': 'iterations from start', 'control_from_start': 'control: iterations from start',
    **COMPARISON, 'dense': 'control: mean', 'verdict': 'the ticket is'}


def controls_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """One row per ticket, control and metric, a figure per model, data set and task.

    Controls are tickets that differ in their control alone (a random or shuffled mask, fresh
    weights, none at all), or in their start alone (fine-tuned instead of rewound).

    Raises:
        UserError: No ticket has a control beside it.
    """
    rows, figures = [], []
    for group in group_runs(runs):
        pairs = [*_pairs(group)]
        for metric in group.metrics_at_50:
            found = [*_compared(pairs, metric)]
            rows += [_row(group, metric, *entry) for entry in found]
            if found and metric in group.metrics:
                figures.append(_figure(group, metric, found))
    if not rows:
        raise UserError('no ticket has a control beside it that differs in nothing else')
    rows = correct(rows)
    return [Section('controls', 'Tickets against their controls', '\n\n'.join([
        _TEXT, correction_text(rows)]), rows, with_metric(_COLUMNS, rows), figures)]


_TEXT = (
    'The ticket less each control, all else equal. A ticket that is better than all of them is '
    'good for mask and weights together: not for how many weights each layer keeps (random mask) '
    'or each filter (shuffled mask), not for the mask alone (fresh weights), its longer training '
    '(the dense model, trained on) or pruning without rewinding (fine-tuning).')

_Pair = Tuple[Cell, str, Cell, str]     # a ticket and its label, a control and its label
_Found = Tuple[Cell, str, Cell, str, Comparison]


def _pairs(group: Group) -> Iterator[_Pair]:
    """Each ticket with each of its controls."""
    labels = {id(cell): label for cell, label in zip(group.cells, labels_of(group.cells))}
    for ticket, control in _held_against(group):
        yield (ticket, labels[id(ticket)], control,
               labels[id(control)].removeprefix('control: '))


def _held_against(group: Group) -> Iterator[Tuple[Cell, Cell]]:
    """By what a control has that its ticket has not; fine-tuning has a length of its own."""
    def is_ticket(cell: Cell) -> bool:
        return not cell.settings['control']
    start = arguments_of(RewindHook)['mode']
    pruned = [cell for cell in group.cells if not cell.trained_on]
    yield from _pairs_of(families(group.cells, 'control', *_DRAWING),
                         is_ticket, lambda cell: cell.trained_on)
    yield from _pairs_of(families(pruned, 'control'), is_ticket, lambda cell: not is_ticket(cell))
    yield from _pairs_of(
        families([cell for cell in pruned if is_ticket(cell)], 'mode', 'length'),
        lambda cell: cell.settings['mode'] == start, lambda cell: cell.settings['mode'] != start)


def _pairs_of(found: Sequence[Sequence[Cell]], is_ticket: Callable[[Cell], bool],
              is_control: Callable[[Cell], bool]) -> Iterator[Tuple[Cell, Cell]]:
    """Of each family every ticket with every control."""
    for family in found:
        yield from itertools.product(filter(is_ticket, family), filter(is_control, family))


def _compared(pairs: Sequence[_Pair], metric: Metric) -> Iterator[_Found]:
    for pair in pairs:
        ticket, _, control, _ = pair
        found = compare(control.values(metric), ticket.values(metric), metric.greater)
        if found is not None:
            yield *pair, found


def _row(group: Group, metric: Metric, ticket: Cell, label: str, control: Cell, control_label: str,
         found: Comparison) -> Dict[str, Any]:
    return dict(
        group=group.label, task=metric.task, metric=metric.name, label=metric.label, method=label,
        scope_sparsity=ticket.scope_sparsity, control=control_label,
        from_start=ticket.length('from_start'), control_from_start=control.length('from_start'),
        **comparison_cells(found))


def _figure(group: Group, metric: Metric, found: Sequence[_Found]) -> Figure:
    """A bar per ticket and control, coloured by what the control is."""
    texts = percents([ticket.scope_sparsity for ticket, *_ in found])
    names = numbered(f'{label} less {other}, {text} %'
                     for (_, label, _, other, _), text in zip(found, texts))
    series = bars((control.method, name, difference)
                  for (_, _, control, _, difference), name in zip(found, names))
    axis = metric.change_axis.replace('change of', 'ticket less control,')
    return Figure(
        slug('controls', group.label, metric.task), 'bars',
        f'{group.label}: {axis}, mean over seeds. Whiskers: one sample standard deviation of the '
        'difference (none with one seed).', '', axis, series)
