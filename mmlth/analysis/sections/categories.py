"""Change of AP from the dense model by category: rare and frequent, easy and hard (Fig. 5)."""
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from scipy.stats import spearmanr

from mmlth.core.errors import UserError
from mmlth.report import Figure, Section, Series
from mmlth.report.keys import slug

from ..compare.changes import (BySeed, Values, ap_cells, change, dense_of, kinds_of,
                               missing_text, protocol_of, tickets_of, values)
from ..compare.correction import WORSE, correct, holm
from ..compare.endings import evidence_text
from ..compare.families import main_cells
from ..compare.groups import Cell, group_runs
from ..compare.rows import change_cells
from ..compare.sparsities import percent, percents
from ..compare.wording import numbered
from ..found.run import Run
from ..measure.evaluate import TASKS, Evaluations

_WANTED = (80, 90)      # the paper's sparsities in percent; the nearest are taken
Row = Dict[str, Any]


@dataclass(frozen=True)
class _Order:
    """One way to sort categories.

    Args:
        key, title, paper: Of the section.
        of: What a row is sorted by, the highest first; rows without it are left out.
        measure: What that is.
        text: The order in words.
        caution: What to mind. Default: nothing.
        kinds: How many of boxes, masks and keypoints have a figure. Default: all.
    """
    key: str
    title: str
    paper: str
    of: Callable[[Row], Optional[float]]
    measure: str
    text: str
    caution: str = ''
    kinds: Optional[int] = None


_FREQUENCY = _Order(
    'frequency', 'Rare and frequent categories', 'Fig. 5a',
    lambda row: row['training_annotations'], 'number of training annotations',
    'Categories from the one most frequent in the training data to the rarest.', kinds=1)
_DIFFICULTY = _Order(
    'difficulty', 'Easy and hard categories', 'Figs. 5b and 5c',
    lambda row: row['dense'], 'AP of the dense model',
    'Categories from the one that the dense model finds easiest (highest AP) to the hardest.',
    ' The dense AP is also what the change is divided by: chance alone makes a category that '
    'the dense model happened to find hard look as if it gained.')


def frequency_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """Categories by the number of training annotations, of boxes or what there is (Fig. 5a).

    Raises:
        UserError: No model with several categories was evaluated, or the training data
            were not there to be counted.
    """
    return [_section(runs, evaluations, _FREQUENCY)]


def difficulty_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """Categories by the dense model's AP, of boxes and of masks (Figs. 5b and c).

    Raises:
        UserError: No model with several categories was evaluated.
    """
    return [_section(runs, evaluations, _DIFFICULTY)]


def _section(runs: Sequence[Run], evaluations: Evaluations, order: _Order) -> Section:
    figures, rows, groups, shown = [], [], group_runs(runs), {}
    for group in groups:
        dense = dense_of(group, evaluations)
        cells = [(cell, dense_of(group, evaluations, cell), tickets_of(cell, evaluations))
                 for cell in _cells(main_cells(group))]
        for kind in kinds_of(dense)[:order.kinds]:
            own, left_out = _rows(dense, cells, kind)
            placed = [(at, row) for at, row in ((order.of(row), row) for row in own)
                      if at is not None]
            if len({row['category'] for _, row in placed}) < 2:
                continue
            own = [row for _, row in sorted(
                placed, key=lambda each: (-each[0], each[1]['category']))]
            name = f'{group.label}, {TASKS[kind]}'
            figures.append(Figure(
                slug(order.key, group.label, TASKS[kind]), 'bars',
                f'{name}: change of AP per category, mean over seeds. {order.text}', 'category',
                f'change of {TASKS[kind]} AP (% of dense)', _series(own)))
            shown[group.label, TASKS[kind]] = (f'{name} ({protocol_of(dense, kind)})', left_out)
            rows += [dict(group=group.label, task=TASKS[kind], **row) for row in own]
    if not figures:
        raise UserError('no model with two categories that the dense model finds was evaluated'
                        + (', or its training data are not there to be counted'
                           if order is _FREQUENCY else '')
                        + f'. {missing_text(evaluations)}'.rstrip())
    rows = correct(rows)
    return Section(
        order.key, order.title, '\n\n'.join([
            f'{order.text} A bar is the AP of the ticket less that of the dense model of the same '
            'seed, in percent of the dense mean, mean over seeds; categories with few objects '
            f'in the evaluation data move by chance.{order.caution}',
            *_notes(shown, rows, order), evidence_text(rows, groups)]),
        rows, figures=figures, paper=order.paper)


def _cells(cells: Sequence[Cell]) -> List[Cell]:
    """Of the sparsities that exist the two nearest to the paper's."""
    chosen: List[Cell] = []
    for wanted in _WANTED:
        rest = [cell for cell in cells if cell not in chosen]
        if rest:
            chosen.append(min(rest, key=lambda cell: abs(cell.scope_sparsity - wanted)))
    return sorted(chosen, key=lambda cell: cell.scope_sparsity)


def _rows(dense: BySeed, cells: Sequence[Tuple[Cell, BySeed, BySeed]],
          kind: str) -> Tuple[List[Row], str]:
    """One per category and ticket; and in words which categories are left out.

    Args:
        dense: Of all dense models.
        cells: Tickets, each with the evaluations of its dense models and its own.
        kind: Of precision.
    """
    names = list(next(iter(dense.values()))['precision'][kind]['categories'])
    counts = next(iter(dense.values()))['training_counts'] or {}
    rows, absent, unfound = [], [], []
    for name in names:
        pick = (lambda precision: precision['categories'].get(name))
        if not values(dense, kind, pick):
            absent.append(name)
            continue
        compared = [(values(before, kind, pick), values(after, kind, pick), cell)
                    for cell, before, after in cells]
        if not any(any(before.values()) for before, _, _ in compared):
            unfound.append(name)
        rows += [_row(name, counts.get(name), *entry) for entry in compared
                 if any(entry[0].values()) and entry[1]]
    text = ''
    if unfound:
        text += f' Left out, for the dense AP is 0: {", ".join(unfound)}.'
    if absent:
        text += f' Not in the evaluation data: {", ".join(absent)}.'
    return rows, text


def _row(name: str, count: Optional[int], before: Values, after: Values, cell: Cell) -> Row:
    moved = change(before, after)
    return dict(
        category=name, training_annotations=count, **ap_cells(moved, before, after),
        **change_cells(moved), std=moved and moved.std, scope_sparsity=cell.scope_sparsity,
        network_sparsity=cell.network_sparsity, compute_sparsity=cell.compute_sparsity)


def _series(rows: List[Row]) -> List[Series]:
    sparsities = sorted({r['scope_sparsity'] for r in rows})
    return [Series(label, [r['category'] for r in own], [r['change'] for r in own])
            for sparsity, label in zip(sparsities, numbered(
                f'{text} % scope sparsity' for text in percents(sparsities)))
            for own in [[r for r in rows if r['scope_sparsity'] == sparsity]]]


def _notes(shown: Dict[Tuple[str, str], Tuple[str, str]], rows: Sequence[Row],
           order: _Order) -> List[str]:
    """A paragraph per model and task, on its categories at each sparsity.

    Args:
        shown: Model and task -> how they are called, and which categories are left out.
        rows: Of all of them.
        order: How they are sorted.
    """
    found: Dict[tuple, List[Row]] = {}
    for row in rows:
        found.setdefault((row['group'], row['task'], row['scope_sparsity']), []).append(row)
    tests = {key: _correlation(own, order) for key, own in found.items()}
    tested = [key for key, test in tests.items() if test is not None]
    corrected = dict(zip(tested, holm([tests[key].pvalue for key in tested])))
    notes = []
    for place, (name, left_out) in shown.items():
        parts = [_losing(found[key]) + (
            f'; rank correlation of the change with the {order.measure} '
            f'{tests[key].statistic:+.2f} (p = {corrected[key]:.2g})' if key in corrected else '')
            for key in sorted(found) if key[:2] == place]
        notes.append(f'{name}: {"; ".join(parts)}.{left_out}')
    return notes + ([f'p of rank correlations is corrected by Holm for these {len(tested)}.']
                    if len(tested) > 1 else [])


def _correlation(rows: Sequence[Row], order: _Order) -> Any:
    """How the change goes with the order of the categories; None for fewer than three."""
    orders, changes = [order.of(r) for r in rows], [r['change'] for r in rows]
    if len(rows) < 3 or len(set(orders)) < 2 or len(set(changes)) < 2:
        return None
    return spearmanr(orders, changes)


def _losing(rows: Sequence[Row]) -> str:
    """How many categories lose, how many are shown to, and which loses most."""
    losing, clear = sum(r['change'] < 0 for r in rows), sum(r['verdict'] == WORSE for r in rows)
    text = (f'at {percent(rows[0]["scope_sparsity"])} % scope sparsity, {losing} of {len(rows)} '
            'categories lose')
    if losing:
        worst = min(rows, key=lambda r: r['change'])
        text += f' ({clear} by the test), most {worst["category"]} ({worst["change"]:+.1f} %)'
    return text
