"""The report of a finished chain: dense against tickets."""
import csv
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from mmengine.config import Config

from mmlth.core import paths
from mmlth.core.files import write_json
from mmlth.report import Figure, Reference, Section, Series, write_report
from mmlth.report.guard import Guard

from ..early_bird import early_bird_figure
from .curves import curves_section
from .lottery_spec import LotterySpec
from .samples import samples_section
from .state import read_json
from .table import columns, headings, round_rows, table
from .text import budgets, endings, texts


def summary(rounds: Sequence[Dict[str, Any]], work_dir: Path, cfg: Config,
            spec: LotterySpec) -> str:
    """What the run prints at its end."""
    notes = [*endings(rounds, spec), *budgets(rounds, cfg, spec)]
    return '\n\n'.join([f'The lottery is drawn:\n\n{table(rounds, cfg, spec)}', *notes,
                        f'Report: {work_dir / paths.REPORT}'])


def write(work_dir: Path, rounds: Sequence[Dict[str, Any]], cfg: Config, spec: LotterySpec,
          guard: Guard) -> None:
    """Write the report of all finished rounds: ``report.html``, figures, ``report.json``.

    A section that fails is left out, and ``guard`` notes it.
    """
    found = {entry['round']: guard.run(f'sparsity of round {entry["round"]}', partial(
        read_json, paths.round_dir(work_dir, entry['round']) / paths.SPARSITY))
        for entry in rounds[1:]}
    reports = {index: report for index, report in found.items() if report is not None}
    write_json(work_dir / paths.REPORT_JSON, dict(
        rounds=list(rounds), sparsity={f'round_{k}': r for k, r in reports.items()}))
    parts: Dict[str, Callable[[], Optional[Section]]] = {'rounds': lambda: Section(
        'rounds', 'Dense against ticket', '\n\n'.join(texts(rounds, cfg, spec)),
        round_rows(rounds, cfg, spec), headings(rounds, cfg)),
        'training curves': lambda: curves_section(work_dir, rounds, columns(rounds, cfg)),
        'sample images': lambda: samples_section(work_dir, rounds)}
    curve = paths.round_dir(work_dir, 0) / paths.EARLY_BIRD / paths.EARLY_BIRD_CSV
    if curve.exists():
        parts['early-bird masks'] = lambda: early_bird_section(curve)
    parts.update({f'layers of round {k}': partial(layers_section, k, report)
                  for k, report in reports.items()})
    name = Path(cfg.filename).name if cfg.filename else work_dir.name
    sections = [guard.run(name, part) for name, part in parts.items()]
    write_report([*filter(None, sections)], work_dir, f'Lottery of {name}', guard=guard)


def early_bird_section(curve: Path) -> Section:
    """The agreement of early masks with the final one (the paper, Fig. 2f)."""
    with open(curve, newline='', encoding='utf-8') as file:
        rows = [{key: float(value) if value else None for key, value in row.items()}
                for row in csv.DictReader(file)]
    return Section(
        'early_bird', 'Early-bird masks', 'How far masks drawn while the dense model trained agree '
        'with the one drawn at its end: intersection over union, of the surviving weights and of '
        'the pruned ones, which the paper means (Fig. 2f), beside what random masks would have.',
        rows, figures=[early_bird_figure(rows)])


def layers_section(index: int, report: Mapping[str, Any]) -> Section:
    """The sparsity of each layer, input to output (the paper, Fig. 2c).

    Args:
        index: The round.
        report: From :func:`mmlth.core.sparsity_report`.
    """
    layers, scope = report['layers'], report['scope']
    series = []
    for group in dict.fromkeys(row['group'] for row in layers):
        own = [row for row in layers if row['group'] == group]
        series.append(Series(group, [row['name'].removesuffix('.weight') for row in own],
                             [100 * row['sparsity'] for row in own]))
    rows = [dict(what='network', **report['network']), dict(what='scope', **scope),
            *(dict(what='group', **row) for row in report['groups']),
            *(dict(what='layer', **{k: v for k, v in row.items() if k != 'group'})
              for row in layers)]
    for row in rows:
        row['sparsity'] *= 100
    return Section(
        f'round_{index}', f'Round {index}', _structure(report.get('structure')), rows,
        dict(what='', name='name', weights='weights', zeros='pruned', sparsity='sparsity (%)'),
        [Figure(f'layer_sparsity_round_{index}', 'bars', 'Sparsity of each layer.', '',
                'weights pruned (%)', series,
                [Reference(f'all in scope, {scope["sparsity"]:.1%}', 100 * scope['sparsity'])])])


def _structure(counts: Optional[Mapping[str, int]]) -> str:
    """Lotteries of older versions have not counted."""
    return '' if counts is None else (
        f'Nothing survives of {counts["dead_filters"]:,} of {counts["filters"]:,} filters, nor of '
        f'{counts["dead_inputs"]:,} of {counts["inputs"]:,} input channels of the layers in scope.')
