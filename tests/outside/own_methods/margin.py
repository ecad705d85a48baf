"""An analysis: how many points each ticket has above its dense model."""
from mmlth.core.errors import UserError
from mmlth.registry import ANALYSES
from mmlth.report import Figure, Section, Series


@ANALYSES.register_module('margin')
def margin(runs, evaluations):
    """A row for each run and task."""
    rows = []
    for run in runs:
        for metric in run.metrics:
            dense, ticket = metric.of(run.dense.metrics), metric.of(run.ticket.metrics)
            if None not in (dense, ticket):
                rows.append(dict(run=run.name, method=run.method, points=ticket - dense))
    if not rows:
        raise UserError('no run was measured')
    bars = Series('margin', [row['run'] for row in rows], [row['points'] for row in rows])
    return [Section('margin', 'Margins', 'Ticket less dense.', rows,
                    dict(run='run', method='method', points='points'),
                    [Figure('margin', 'bars', 'Ticket less dense.', 'run', 'points', [bars])])]
