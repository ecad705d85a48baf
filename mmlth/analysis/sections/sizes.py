"""Change of AP from the dense model by object size, against sparsity (Fig. 4)."""
from typing import Any, Dict, List, Optional, Sequence

from mmlth.core.errors import UserError
from mmlth.report import Figure, Section, Series
from mmlth.report.keys import slug

from ..compare.changes import (BySeed, ap_cells, change, dense_of, kinds_of, missing_text,
                               tickets_of, values)
from ..compare.correction import correct
from ..compare.endings import evidence_text
from ..compare.families import main_cells
from ..compare.groups import group_runs
from ..compare.rows import BAND, BAND_TEXT, change_cells
from ..compare.sparsities import percent
from ..found.run import Run
from ..measure.evaluate import TASKS, Evaluations
from ..measure.precision import SIZES

_COLUMNS = {
    'group': 'model, data', 'task': 'task', 'size': 'size', 'objects': 'objects',
    'scope_sparsity': 'scope sparsity (%)', 'network_sparsity': 'network sparsity (%)',
    'compute_sparsity': 'compute sparsity (%)', 'seeds': 'seeds', 'dense': 'dense AP (%)',
    'ticket': 'ticket AP (%)', 'change': 'change (% of dense)', 'std': 'σ',
    'interval': '95 % interval', 'p_corrected': 'p (Holm)'}


def sizes_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """A figure per model and task, a line per size.

    Raises:
        UserError: No drawn ticket and its dense model were evaluated.
    """
    figures, rows, groups = [], [], group_runs(runs)
    for group in groups:
        dense = dense_of(group, evaluations)
        cells = [(cell, dense_of(group, evaluations, cell), tickets_of(cell, evaluations))
                 for cell in main_cells(group)]
        for kind in kinds_of(dense):
            own = [row for cell, before, after in cells for row in _rows(before, after, kind, dict(
                group=group.label, task=TASKS[kind], scope_sparsity=cell.scope_sparsity,
                network_sparsity=cell.network_sparsity,
                compute_sparsity=cell.compute_sparsity))]
            rows += own
            series = [_series(size, [r for r in own if r['size'] == size]) for size in SIZES]
            series = [s for s in series if s.x]
            if series:
                figures.append(Figure(
                    slug('sizes', group.label, TASKS[kind]), 'lines',
                    f'{group.label}, {TASKS[kind]}: change of AP by object size. {BAND_TEXT}',
                    'network sparsity (%)', f'change of {TASKS[kind]} AP (% of dense)', series))
    if not figures:
        raise UserError('no drawn ticket was evaluated by object size together with its dense '
                        f'model, or that finds nothing. {missing_text(evaluations)}'.strip())
    rows = correct(rows)
    return [Section('sizes', 'Object sizes', f'{_text(rows)}\n\n{evidence_text(rows, groups)}',
                    rows, _COLUMNS, figures, paper='Fig. 4')]


def _rows(dense: BySeed, tickets: BySeed, kind: str, shared: Dict[str, Any]
          ) -> List[Dict[str, Any]]:
    """One per size that has objects."""
    rows = []
    for size in SIZES:
        pick = (lambda precision: precision['sizes'].get(size))
        before, after = values(dense, kind, pick), values(tickets, kind, pick)
        if not before or not after:
            continue
        moved = change(before, after)
        objects = next(iter(dense.values()))['precision'][kind]['objects'][size]
        rows.append(dict(
            **shared, size=size, objects=objects, **ap_cells(moved, before, after),
            **change_cells(moved), std=moved and moved.std))
    return rows


def _series(size: str, rows: List[Dict[str, Any]]) -> Series:
    rows = sorted((r for r in rows if r['change'] is not None),
                  key=lambda r: r['network_sparsity'])
    return Series(size, [r['network_sparsity'] for r in rows], [r['change'] for r in rows],
                  [None if r['std'] is None else BAND * r['std'] for r in rows])


def _text(rows: List[Dict[str, Any]]) -> str:
    parts = [
        'AP of small (area below 32² pixels), medium and large (from 96² pixels) objects, as '
        'COCO measures it (IoU 0.50 to 0.95; for VOC-style data too, with the areas of boxes), '
        'less that of the dense model of the same seed, in percent of the dense mean. '
        f'{BAND_TEXT} How many objects of a size the evaluation data have is in the table: few '
        'of them make an uncertain AP.']
    if any(row['task'] == TASKS['keypoints'] for row in rows):
        parts.append('Keypoints have no small size: COCO annotates no keypoints on persons so '
                     'small, and its OKS evaluation leaves the size out.')
    unmoved = sorted({f'{r["group"]}, {r["task"]}, {r["size"]}' for r in rows
                      if r['change'] is None})
    if unmoved:
        parts.append(f'Left out, for the dense AP is 0: {"; ".join(unmoved)}.')
    hit = _hardest_hit(rows)
    return '\n\n'.join([*parts, *([hit] if hit else [])])


def _hardest_hit(rows: List[Dict[str, Any]]) -> Optional[str]:
    """Per model and task, the size that loses most at the highest sparsity."""
    sentences = []
    for key in dict.fromkeys((r['group'], r['task']) for r in rows):
        own = [r for r in rows if (r['group'], r['task']) == key and r['change'] is not None]
        highest = max((r['scope_sparsity'] for r in own), default=0.0)
        last = sorted((r for r in own if r['scope_sparsity'] == highest),
                      key=lambda r: r['change'])
        if len(last) > 1:
            listed = ', '.join(f'{r["size"]} {r["change"]:+.1f} %' for r in last)
            sentences.append(
                f'{key[0]}, {key[1]}, at {percent(highest)} % scope sparsity: {listed}.')
    return ' '.join(sentences) or None
