"""Which modules to prune (Table 3)."""
from typing import Any, Dict, List, Optional, Sequence

from mmlth import paper
from mmlth.core.errors import UserError
from mmlth.metrics import Metric
from mmlth.report import Section

from ..compare.correction import correct
from ..compare.endings import evidence_text
from ..compare.families import varied
from ..compare.groups import Cell, Group, group_runs
from ..compare.paper_rows import NOTE, is_plain, paper_cells, paper_columns, same_as_paper
from ..compare.rows import CHANGE, change_cells, with_metric
from ..compare.statistics import spread
from ..compare.wording import value_text
from ..found.run import Run, sparsity_report
from ..measure.evaluate import Evaluations

MODULES = ('base', 'top', 'rpn', 'head')


def modules_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """One row per combination of modules and task, the dense model first.

    Raises:
        UserError: No lotteries differ in their scope alone.
    """
    rows, groups = [], group_runs(runs)
    for group in groups:
        for family in varied(group, 'scope'):
            for metric in group.metrics:
                rows.append(_row(group, None, metric))
                rows += [_row(group, cell, metric) for cell in _in_order(family)]
    if not rows:
        raise UserError('no two lotteries differ in their scope alone')
    rows = correct(rows)
    return [Section(
        'modules', 'Pruning different modules', '\n\n'.join([
            'The same sparsity within different modules, all else equal; the row without a module '
            'is the dense model. Parameters in scope: of all parameters of the network. '
            f'{NOTE}', evidence_text(rows, groups)]), rows,
        with_metric(_columns(rows), rows), paper='Table 3')]


def _columns(rows: List[Dict[str, Any]]) -> Dict[str, str]:
    """Check marks only where modules of the paper are pruned, names only of others."""
    columns = {'group': 'model, data', 'task': 'task'}
    if any(row[module] for row in rows for module in MODULES):
        columns.update(base='base', top='top', rpn='RPN', head='head')
    if any(row['other'] for row in rows):
        columns['other'] = 'other scope'
    return {**columns, 'param_percent': 'parameters in scope (%)',
            'network_sparsity': 'network sparsity (%)',
            'compute_sparsity': 'compute sparsity (%)', 'seeds': 'seeds', 'mean': 'mean (%)',
            'std': 'σ', **CHANGE, 'from_start': 'iterations from start',
            'chain': 'iterations, whole chain', **paper_columns(rows)}


def _row(group: Group, cell: Optional[Cell], metric: Metric) -> Dict[str, Any]:
    scope = cell.settings['scope'] if cell else []
    modules = scope if isinstance(scope, (list, tuple)) and set(scope) <= set(MODULES) else []
    values = list((cell.values(metric) if cell else group.dense(metric)).values())
    value = spread(values) if values else None
    printed = _paper(group, cell, metric, modules)
    return dict(
        group=group.label, task=metric.task, metric=metric.name,
        **{m: '✓' if m in modules else '' for m in MODULES},
        other='' if modules or cell is None else value_text(scope or 'everything'),
        param_percent=_share(cell) if cell else 0.0,
        network_sparsity=cell.network_sparsity if cell else 0.0,
        compute_sparsity=cell.compute_sparsity if cell else 0.0, seeds=len(values),
        mean=value and value.mean, std=value and value.std,
        **change_cells(group.compare(cell, metric) if cell else None),
        from_start=cell.length('from_start') if cell else group.dense_iterations,
        chain=cell.length('chain') if cell else group.dense_iterations,
        **paper_cells(printed))


def _share(cell: Cell) -> Optional[float]:
    """The scope's share of all parameters, in percent."""
    report = sparsity_report(cell.runs[0].ticket)
    return None if report is None else (
        100 * report['scope']['weights'] / report['network']['weights'])


def _paper(group: Group, cell: Optional[Cell], metric: Metric,
           modules: Sequence[str]) -> Optional[paper.Row]:
    target = same_as_paper(group, metric)
    if target is None or cell is not None and (
            not modules or not is_plain(cell) or round(cell.scope_sparsity) != 80):
        return None
    return next(iter(paper.find(table=3, modules=tuple(modules), **target)), None)


def _in_order(family: Sequence[Cell]) -> List[Cell]:
    return sorted(family, key=lambda c: c.network_sparsity)
