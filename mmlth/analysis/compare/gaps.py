"""What is missing in comparisons: metrics that are no numbers, dense models of a seed."""
from typing import Dict, List, Optional, Sequence, Tuple

from mmlth.metrics import Metric

from ..found.run import Round, Run
from .groups import Cell, Group


def unmeasured(groups: Sequence[Group]) -> Dict[str, str]:
    """Dense model or ticket of a run -> which metrics of it are left out of all means, and why."""
    found: Dict[str, List[str]] = {}
    for group in groups:
        for metric in group.metrics:
            for run in group.runs:
                for what, entry in _measured(run):
                    reason = metric.why_not(entry.metrics)
                    if reason:
                        found.setdefault(f'{what} of {run.name}', []).append(
                            f'{metric.name} {reason}')
    return {what: ' and '.join(reasons) for what, reasons in found.items()}


def unpaired(groups: Sequence[Group]) -> Dict[str, str]:
    """Tickets of seeds without a dense model -> how they are compared."""
    found: Dict[str, str] = {}
    for group in groups:
        for metric in group.metrics:
            for cell in group.cells:
                comparison = group.compare(cell, metric)
                alone = _alone(group, cell, metric)
                if comparison is not None:
                    found.update(dict.fromkeys(
                        alone, 'left out of the difference, which is paired by seed'
                        if comparison.paired else 'compared with the dense models of other seeds'))
    return found


def apart_text(groups: Sequence[Group]) -> str:
    """Which dense models of one seed differ, for lotteries do not share one; empty if none do."""
    found = []
    for group in groups:
        for metric in group.metrics:
            values: Dict[Optional[int], List[float]] = {}
            for run in group.with_dense():
                value = metric.of(run.dense.metrics)
                values.setdefault(run.seed, []).extend([] if value is None else [value])
            width = max((max(own) - min(own) for own in values.values() if own), default=0.0)
            if width > 0:
                found.append(f'{group.label}, {metric.task}: by up to {width:.2g}')
    return '' if not found else (
        f'Dense models of one seed differ ({"; ".join(found)}): their lotteries do not share one. '
        'Each ticket is compared with that of its own lottery; those without one, and lines and '
        'rows of the dense model alone, have the first of each seed.')


def _measured(run: Run) -> List[Tuple[str, Round]]:
    """What a run should have measured: its ticket, and its dense model if it has one."""
    return [*([('the dense model', run.dense)] if run.dense.trained_fully else []),
            ('the ticket', run.ticket)]


def _alone(group: Group, cell: Cell, metric: Metric) -> List[str]:
    dense, tickets = group.dense(metric, cell=cell), cell.values(metric)
    return [run.name for run in cell.runs if run.seed in tickets and run.seed not in dense]
