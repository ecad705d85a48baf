"""Were the dense models trained to their end? What they gain when they are trained on."""
from typing import Any, Dict, List, Sequence

from mmlth.core.errors import UserError
from mmlth.report import Section

from ..compare.correction import correct, correction_text
from ..compare.endings import Ending, endings, endings_text
from ..compare.groups import group_runs
from ..compare.rows import COMPARISON, comparison_cells, with_metric
from ..compare.statistics import Comparison
from ..found.run import Run
from ..measure.evaluate import Evaluations

_COLUMNS = {
    'group': 'model, data', 'task': 'task', 'label': 'metric', 'iterations': 'iterations',
    'total': 'iterations, trained on',
    **COMPARISON, 'ticket': 'trained on', 'difference': 'change', 'dense_std': 'σ',
    'answer': 'trained to its end?'}


def endings_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """One row per dense model, task and metric.

    Raises:
        UserError: No dense model was trained on.
    """
    groups = group_runs(runs)
    rows = correct([_row(ending, ending.found) for ending in endings(groups)
                    if ending.found is not None])
    if not rows:
        raise UserError('no dense model was trained on for as many iterations more: whether they '
                        "were trained to their end is not measured. Add runs with control='dense'")
    return [Section(
        'endings', 'Were the dense models trained to their end?', '\n\n'.join([
            endings_text(groups), 'A dense model was trained to its end if as many more '
            'iterations (the control "dense, trained on") make it better by less than one sample '
            'standard deviation over its seeds, on average; where the interval of the change '
            'reaches that, more seeds might tell otherwise. What a ticket gains over a dense model '
            'that was not may be due to its longer training.', correction_text(rows)]), rows,
        with_metric(_COLUMNS, rows))]


def _row(ending: Ending, found: Comparison) -> Dict[str, Any]:
    return dict(
        group=ending.group.label, task=ending.metric.task, metric=ending.metric.name,
        label=ending.metric.label,
        iterations=ending.group.dense_iterations, total=ending.total,
        **comparison_cells(found), gain=ending.gain, finished=ending.finished,
        answer=ending.answer)
