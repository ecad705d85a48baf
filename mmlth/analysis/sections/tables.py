"""Transferred tickets: of ImageNet (Tables 1 and 2) and of other tasks (Table 4)."""
from typing import Any, Dict, List, Optional, Sequence

from mmlth import paper
from mmlth.core.errors import UserError
from mmlth.metrics import Metric
from mmlth.report import Section

from ..compare.correction import correct
from ..compare.endings import evidence_text
from ..compare.families import labels_of, main_cells
from ..compare.groups import Cell, Group, group_runs
from ..compare.paper_rows import (NOTE, is_plain, paper_cells, paper_columns, same_as_paper,
                                  source_of)
from ..compare.rows import CHANGE, change_cells, with_metric
from ..compare.statistics import BySeed, spread
from ..found.labels import CLASSIFIER, DIRECT, IMAGENET
from ..found.run import Run
from ..measure.evaluate import Evaluations

_COLUMNS = {
    'group': 'model, data', 'task': 'task', 'source': 'ticket', 'prune': 'pruned (%)',
    'network_sparsity': 'network sparsity (%)', 'compute_sparsity': 'compute sparsity (%)',
    'seeds': 'seeds', 'mean': 'mean (%)', 'std': 'σ', 'ap50': 'AP50 (%)', **CHANGE,
    'from_start': 'iterations from start', 'chain': 'iterations, whole chain'}
# Whether tickets are a classifier's -> the paper's tables that ask for such tickets.
_TABLES = {frozenset([True]): 'Tables 1 and 2', frozenset([False]): 'Table 4',
           frozenset([True, False]): 'Tables 1, 2 and 4'}


def imagenet_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """ImageNet tickets in detectors, the dense model last, as the paper's Tables 1 and 2.

    Raises:
        UserError: No ImageNet ticket was trained.
    """
    rows, groups = [], group_runs(runs)
    for group in groups:
        cells = [c for c in group.cells if c.method == IMAGENET]
        cells.sort(key=lambda c: -c.network_sparsity)
        for metric in group.metrics if cells else ():
            rows += _rows(group, cells, metric, (1, 2))
    if not rows:
        raise UserError('no ImageNet ticket was transferred')
    rows = correct(rows)
    return [Section(
        'imagenet-tickets', 'ImageNet tickets in other tasks', '\n\n'.join([
            'The ticket of an ImageNet classifier in the backbone, everything else dense. Pruned: '
            f'of the weights that have a mask. {NOTE}', evidence_text(rows, groups)]), rows,
        with_metric({**_COLUMNS, **paper_columns(rows)}, rows), paper='Tables 1 and 2')]


def task_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """Tickets of other tasks beside those of the task itself, as the paper's Table 4.

    Raises:
        UserError: No ticket of another task was trained.
    """
    rows, of_classifiers, groups = [], set(), group_runs(runs)
    for group in groups:
        cells = [c for c in group.cells if c.settings.get('transfer')
                 and not c.settings.get('control') and c.method != IMAGENET]
        if not cells:
            continue
        of_classifiers |= {c.method.endswith(CLASSIFIER) for c in cells}
        cells += _nearest(main_cells(group), cells)
        for metric in group.metrics:
            rows += _rows(group, cells, metric, (4,))
    if not rows:
        raise UserError('no ticket of another task was transferred')
    rows = correct(rows)
    return [Section(
        'task-tickets', 'Tickets of other tasks', '\n\n'.join([
            'The ticket of one task trained for another; beside it the ticket drawn of the task '
            f'itself, and the dense model. {NOTE}', evidence_text(rows, groups)]), rows,
        with_metric({**_COLUMNS, **paper_columns(rows)}, rows),
        paper=_TABLES[frozenset(of_classifiers)])]


def _nearest(direct: Sequence[Cell], transferred: Sequence[Cell]) -> List[Cell]:
    """The drawn tickets whose sparsity is nearest to those of the transferred ones."""
    found = []
    for cell in transferred:
        best = min(direct, key=lambda c: abs(c.scope_sparsity - cell.scope_sparsity),
                   default=None)
        if best is not None and best not in found:
            found.append(best)
    return found


def _rows(group: Group, cells: Sequence[Cell], metric: Metric,
          tables: Sequence[int]) -> List[Dict[str, Any]]:
    """A row per cell, then the dense model's."""
    labels = labels_of(cells)
    return [*(_row(group, cell, metric, tables, label) for cell, label in zip(cells, labels)),
            _row(group, None, metric, tables, 'dense')]


def _row(group: Group, cell: Optional[Cell], metric: Metric, tables: Sequence[int],
         label: str) -> Dict[str, Any]:
    """A ticket's row, or without a cell the dense model's."""
    values = _values(group, cell, metric)
    at_50 = _values(group, cell, metric, metric.at_50) if metric.at_50 else {}
    value = spread(values.values()) if values else None
    printed = _paper(group, cell, metric, tables)
    return dict(
        group=group.label, task=metric.task, metric=metric.name,
        source=label,
        prune=cell.scope_sparsity if cell else 0.0,
        network_sparsity=cell.network_sparsity if cell else 0.0,
        compute_sparsity=cell.compute_sparsity if cell else 0.0,
        seeds=len(values), mean=value and value.mean, std=value and value.std,
        ap50=spread(at_50.values()).mean if at_50 else None,
        **change_cells(group.compare(cell, metric) if cell else None),
        from_start=cell.length('from_start') if cell else group.dense_iterations,
        chain=cell.length('chain') if cell else group.dense_iterations,
        **paper_cells(printed))


def _values(group: Group, cell: Optional[Cell], metric: Metric,
            name: Optional[str] = None) -> BySeed:
    return cell.values(metric, name) if cell else group.dense(metric, name)


def _paper(group: Group, cell: Optional[Cell], metric: Metric,
           tables: Sequence[int]) -> Optional[paper.Row]:
    target = same_as_paper(group, metric)
    if target is None:
        return None
    prune, source = 0, None
    if cell is not None:
        prune, source = round(cell.scope_sparsity), source_of(cell)
        if cell.method == DIRECT and is_plain(cell):
            source = 'keypoint' if target['task'] == 'keypoint' else 'detection'
        if source is None:
            return None
    rows = [row for table in tables
            for row in paper.find(table=table, prune=prune, source=source, **target)]
    return rows[0] if rows else None
