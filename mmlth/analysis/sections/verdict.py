"""Tickets against their dense models: a corrected test, the paper's rule beside it (4.3)."""
from collections import Counter
from typing import Any, Dict, List, Optional, Sequence, Tuple

from mmlth.core.errors import UserError
from mmlth.metrics import Metric
from mmlth.report import Figure, Reference, Section
from mmlth.report.keys import slug

from ..compare.correction import BETTER, HIGHER, LEVEL, LOWER, ONE_SEED, WORSE, correct
from ..compare.endings import evidence_text
from ..compare.families import labels_of
from ..compare.groups import Cell, Group, group_runs
from ..compare.rows import COMPARISON, bars, comparison_cells, dense_line, with_metric
from ..compare.sparsities import percents
from ..compare.statistics import Comparison
from ..compare.wording import numbered
from ..found.labels import DIRECT
from ..found.run import Run
from ..measure.evaluate import Evaluations

COLUMNS = {
    'group': 'model, data', 'task': 'task', 'method': 'ticket',
    'scope_sparsity': 'scope sparsity (%)', 'network_sparsity': 'network sparsity (%)',
    'from_start': 'iterations from start', 'dense_iterations': 'dense: iterations',
    'chain': 'iterations, whole chain', **COMPARISON,
    'verdict': 'verdict', 'rule': 'within one σ (the paper\'s rule)'}


def verdict_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """One row per setting and task, a figure of all settings per model, data set and task.

    Raises:
        UserError: No ticket can be compared with a dense model.
    """
    rows, figures, groups = [], [], group_runs(runs)
    for group in groups:
        labels = labels_of(group.cells)
        for metric in group.metrics:
            found = ((cell, label, group.compare(cell, metric))
                     for cell, label in zip(group.cells, labels))
            compared = [(cell, label, change) for cell, label, change in found
                        if change is not None]
            rows += [_row(group, cell, metric, label, comparison)
                     for cell, label, comparison in compared]
            if len(compared) > 1:
                figures.append(_figure(group, metric, compared))
    if not rows:
        raise UserError('no ticket and its dense model were both evaluated')
    rows = correct(rows)
    finding = _text(rows)
    return [Section('verdict', 'Which tickets win', '\n\n'.join([
        finding, _RULE, evidence_text(rows, groups)]), rows, with_metric(COLUMNS, rows), figures,
        paper='Section 4.3', finding=finding)]


_RULE = (
    'Verdict: what a two-sided t test of the difference shows, paired where ticket and dense model '
    'share seeds (then means and deviations are over these), else Welch\'s, with p corrected for '
    f'the number of rows: better or worse below {LEVEL}. No difference shown does not mean that '
    'there is none; the interval says how large it may be. The paper\'s rule asks for no proof: a '
    'winning ticket\'s mean over seeds is not worse than the dense mean by more than one sample '
    'standard deviation of the dense model; with a wide spread it is easily passed. With one seed '
    'there is no standard deviation, so no verdict is possible by either.')


def _figure(group: Group, metric: Metric,
            compared: Sequence[Tuple[Cell, str, Comparison]]) -> Figure:
    """Every setting's change from dense: a bar each, coloured by method."""
    texts = percents([cell.scope_sparsity for cell, *_ in compared])
    names = numbered(f'{label}, {text} %' for (_, label, _), text in zip(compared, texts))
    series = bars((cell.method, name, comparison)
                  for (cell, _, comparison), name in zip(compared, names))
    bands = [Reference(dense.label, 0, dense.error) for dense in dense_line(group, metric)]
    return Figure(
        slug('verdict', group.label, metric.task), 'bars',
        f'{group.label}: {metric.change_axis}, mean over seeds. Whiskers: one sample standard '
        'deviation of the difference; band: one of the dense model (none with one seed).', '',
        metric.change_axis, series, bands)


def _row(group: Group, cell: Cell, metric: Metric, label: str,
         found: Comparison) -> Dict[str, Any]:
    return dict(
        group=group.label, task=metric.task, metric=metric.name, method=label,
        scope_sparsity=cell.scope_sparsity, network_sparsity=cell.network_sparsity,
        from_start=cell.length('from_start'), dense_iterations=group.dense_iterations,
        chain=cell.length('chain'), **comparison_cells(found), rule=_rule(found))


def _rule(found: Comparison) -> str:
    """Whether the paper's rule is met; empty where there is nothing to judge by."""
    return '' if found.winning is None else 'yes' if found.winning else 'no'


def _text(rows: List[Dict[str, Any]]) -> str:
    """What the rows say, counted."""
    judged = [row for row in rows if row['test'] != ONE_SEED]
    if not judged:
        return 'No verdict is possible: each ticket or its dense model has one seed.'
    controls = [row for row in judged if _is_control(row)]
    tickets = [row for row in judged if not _is_control(row) and row['scope_sparsity']]
    dense = len(judged) - len(controls) - len(tickets)
    text = f'By the corrected test against the dense model, {_counted(tickets, "ticket")}'
    text += f'; {_counted(controls, "control")}.' if controls else '.'
    text += (f' The paper\'s rule, which asks for no proof, {_winning(tickets)} of the tickets meet'
             + (f' and {_winning(controls)} of the controls.' if controls else '.'))
    best = best_direct(judged)
    if best:
        text += (f' The sparsest direct ticket that meets it and is not shown to be worse: '
                 f'{best["network_sparsity"]:.1f} % network sparsity ({best["group"]}, '
                 f'{best["task"]}: {best["ticket"]} against {best["dense"]} dense'
                 + (f', 95 % interval of the difference {best["interval"]}' if best['interval']
                    else '') + ').')
    unclear = dict.fromkeys(row['metric'] for row in rows if row['worse'] is None)
    if unclear:
        text += (f' Whether more is better is not known of {", ".join(unclear)}: the '
                 'CheckpointHook\'s save_best and rule in the config say it.')
    text += _longer(tickets)
    text += f' {dense} of the rows prune nothing: dense models, not tickets.' if dense else ''
    without = len(rows) - len(judged)
    return text + (f' {without} rows have one seed and no verdict.' if without else '')


def _counted(rows: Sequence[Dict[str, Any]], what: str) -> str:
    """How many rows have each verdict."""
    counts = Counter(row['verdict'] for row in rows)
    moved = counts[HIGHER] + counts[LOWER]
    open_ = len(rows) - counts[BETTER] - counts[WORSE] - moved
    return (f'of {len(rows)} {what}{"" if len(rows) == 1 else "s"} with several seeds '
            f'{counts[BETTER]} shown to be better, {counts[WORSE]} to be worse, {open_} neither'
            + (f', {moved} to be higher or lower' if moved else ''))


def _longer(tickets: Sequence[Dict[str, Any]]) -> str:
    """Which tickets were trained longer than what they are compared with."""
    longer = [row['from_start'] / row['dense_iterations'] for row in tickets
              if row['from_start'] and row['dense_iterations']
              and row['from_start'] > row['dense_iterations']]
    return '' if not longer else (
        f' {len(longer)} of the tickets were trained longer than the dense model, from their '
        f'start on, up to {max(longer):.2f} times as long: what they gain may be due to that.')


def best_direct(rows: Sequence[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """The row of the sparsest ticket, drawn of its own task and no control, that holds up.

    It meets the paper's rule and is not shown to be worse.
    """
    winning = [row for row in rows if row['rule'] == 'yes' and row['verdict'] != WORSE
               and row['method'].startswith(DIRECT) and row['scope_sparsity']]
    return max(winning, key=lambda row: row['network_sparsity'], default=None)


def _winning(rows: Sequence[Dict[str, Any]]) -> int:
    return sum(row['rule'] == 'yes' for row in rows)


def _is_control(row: Dict[str, Any]) -> bool:
    return row['method'].startswith('control')
