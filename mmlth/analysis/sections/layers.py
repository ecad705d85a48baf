"""Sparsity of each layer (Fig. 2c), read from each round's ``sparsity.json``."""
from statistics import fmean
from typing import Any, Dict, List, Sequence

from mmlth.core.errors import UserError
from mmlth.report import Figure, Section, Series
from mmlth.report.keys import slug

from ..compare.families import main_cells
from ..compare.groups import Cell, group_runs
from ..compare.rows import BAND, BAND_TEXT
from ..compare.sparsities import percents
from ..compare.statistics import spread
from ..compare.wording import numbered
from ..found.run import Run, sparsity_report
from ..measure.evaluate import Evaluations


def layers_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """A figure per model: sparsity of each layer, one line per sparsity of the ticket.

    Raises:
        UserError: No ticket of the main method has a readable ``sparsity.json``.
    """
    figures, rows = [], []
    for group in group_runs(runs):
        cells = main_cells(group)
        names = numbered(f'{text} % of the scope' for text in percents(
            [cell.scope_sparsity for cell in cells]))
        lines = [found for found in map(_layers, cells, names) if found]
        if not lines:
            continue
        figures.append(Figure(
            slug('layers', group.label), 'lines',
            f'{group.label}: sparsity of each layer, numbered from the input on; the table of '
            f'data has their names. {BAND_TEXT}', 'layer', 'sparsity of the layer (%)',
            [_series(layers) for layers in lines]))
        rows += [dict(group=group.label, **layer) for layers in lines for layer in layers]
    if not figures:
        raise UserError('no ticket that was drawn of its own task has a sparsity.json')
    return [Section(
        'layers', 'Sparsity of each layer', f'{_text(rows)}\n\nWhere the weights were pruned, '
        f'mean over seeds. {BAND_TEXT}', rows, figures=figures, paper='Fig. 2c')]


def _layers(cell: Cell, ticket: str) -> List[Dict[str, Any]]:
    """One row per layer, over the seeds; none where no report can be read."""
    reports = [r for r in (sparsity_report(run.ticket) for run in cell.runs) if r]
    if not reports:
        return []
    names = [row['name'] for row in reports[0]['layers']]
    reports = [r for r in reports if [row['name'] for row in r['layers']] == names]
    rows = []
    for index, name in enumerate(names):
        value = spread([100 * r['layers'][index]['sparsity'] for r in reports])
        rows.append(dict(
            ticket=ticket, number=index + 1, layer=name,
            weights=reports[0]['layers'][index]['weights'], sparsity=value.mean,
            std=value.std, seeds=value.n))
    return rows


def _series(layers: List[Dict[str, Any]]) -> Series:
    return Series(
        layers[0]['ticket'], [row['number'] for row in layers],
        [row['sparsity'] for row in layers],
        [None if row['std'] is None else BAND * row['std'] for row in layers])


def _text(rows: List[Dict[str, Any]]) -> str:
    """Least and most pruned layer of each model's sparsest ticket."""
    sentences = []
    for group in dict.fromkeys(row['group'] for row in rows):
        own = [row for row in rows if row['group'] == group]
        last = [row for row in own if row['ticket'] == own[-1]['ticket']]
        low, high = (pick(last, key=lambda row: row['sparsity']) for pick in (min, max))
        half = len(last) // 2
        early, late = (fmean(row['sparsity'] for row in part)
                       for part in (last[:half] or last, last[half:]))
        sentences.append(
            f'{group}, {last[0]["ticket"]}: from {low["sparsity"]:.1f} % ({low["layer"]}) to '
            f'{high["sparsity"]:.1f} % ({high["layer"]}); the first half of the layers has '
            f'{early:.1f} % on average, the second {late:.1f} %.')
    return '\n\n'.join(sentences)
