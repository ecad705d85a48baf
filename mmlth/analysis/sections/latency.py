"""Performance against the latency that lotteries have measured of their tickets."""
from typing import List, Optional, Sequence

from mmlth.core.errors import UserError
from mmlth.report import Figure, Section
from mmlth.report.keys import slug

from ..compare.correction import correct
from ..compare.endings import evidence_text
from ..compare.families import families, family_labels
from ..compare.groups import Cell, group_runs
from ..compare.rows import BAND_TEXT, columns, line, row, ticket_spread, with_metric
from ..compare.statistics import mean_of_known
from ..found.run import Run
from ..measure.evaluate import Evaluations


def latency_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """A figure per model, data set and task: a point a ticket, a line per method.

    Raises:
        UserError: No lottery has measured latency.
    """
    figures, rows, groups = [], [], group_runs(runs)
    for group in groups:
        known = families([c for c in group.cells if _latency(c, 'sparse_ms') is not None],
                         'sparsity')
        labels = family_labels(known, ['sparsity'])
        for metric in group.metrics:
            series = [line(label, cells, lambda c: _latency(c, 'sparse_ms'), ticket_spread(metric))
                      for label, cells in zip(labels, known)]
            series = [s for s in series if s.x]
            if not series:
                continue
            figures.append(Figure(
                slug('latency', group.label, metric.task), 'lines',
                f'{group.label}: {metric.axis} against the latency of sparse inference. '
                f'{BAND_TEXT}',
                'latency of one image (ms)', metric.axis, series))
            rows += [row(group, cell, metric, label, **{
                key: _latency(cell, key) for key in ('dense_ms', 'sparse_ms', 'speedup')})
                for label, cells in zip(labels, known) for cell in cells]
    if not figures:
        raise UserError('no lottery has measured the latency of its tickets')
    rows = correct(rows)
    return [Section(
        'latency', 'Performance against latency', '\n\n'.join([
            'Latency is what each lottery has measured at its end: one image of its validation '
            'data, with one thread of the CPU of the machine that it ran on, the ticket computing '
            'with its surviving weights alone; means over seeds. Tickets of different machines '
            f'cannot be compared. {BAND_TEXT}', evidence_text(rows, groups)]),
        rows, with_metric(columns(dense_ms='dense (ms)', sparse_ms='sparse (ms)',
                                  speedup='speed-up'), rows), figures)]


def _latency(cell: Cell, key: str) -> Optional[float]:
    """Mean over seeds; None if one is not known."""
    return mean_of_known((run.ticket.latency or {}).get(key) for run in cell.runs)
