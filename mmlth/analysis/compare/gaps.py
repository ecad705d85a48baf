"""What is missing in comparisons: metrics that are no numbers, dense models of a seed."""
from typing import Dict, List, Sequence, Tuple

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


def _measured(run: Run) -> List[Tuple[str, Round]]:
    """What a run should have measured: its ticket, and its dense model if it has one."""
    return [*([('the dense model', run.dense)] if run.dense.trained_fully else []),
            ('the ticket', run.ticket)]


def _alone(group: Group, cell: Cell, metric: Metric) -> List[str]:
    dense, tickets = group.dense(metric), cell.values(metric)
    return [run.name for run in cell.runs if run.seed in tickets and run.seed not in dense]
