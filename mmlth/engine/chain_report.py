"""The report of a finished chain: dense against tickets."""
import csv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, List, Mapping, Optional, Sequence

from mmengine.config import Config

from mmlth.core import paths
from mmlth.core.files import write_json
from mmlth.report import Figure, Reference, Section, Series, write_report
from mmlth.report.guard import Guard

from .chain_text import budgets, endings, texts
from .curves import curves_section
from .early_bird_figure import early_bird_figure
from .lengths import Length, ended_early, lengths, name_of
from .lottery_state import read_json
from .samples import samples_section

# What mmdet's and mmpose's metrics call their main figures.
_MAIN = ('mAP', 'mAP_50', 'AP50', 'AP', 'AP .5', 'PCK', 'AUC', 'NME', 'top1')


def main_metrics(rounds: Sequence[Dict[str, Any]]) -> List[str]:
    """The metrics worth a column, in the evaluator's order."""
    names = list(dict.fromkeys(n for entry in rounds for n in entry['metrics']))
    main = [n for n in names if n.split('/')[-1] in _MAIN
            or n.split('/')[-1].split('_', 1)[-1] in _MAIN]
    return main or names[:2]


def one_line(entry: Dict[str, Any]) -> str:
    """One round in one line."""
    metrics = ', '.join(f'{n} {entry["metrics"][n]:.4g}' for n in main_metrics([entry]))
    return (f'scope sparsity {entry["scope_sparsity"]:.2%}, '
            f'network sparsity {entry["network_sparsity"]:.2%}, '
            f'compute sparsity {_fraction(entry.get("compute_sparsity"))}, '
            f'{metrics or "not evaluated"}')


def table(rounds: Sequence[Dict[str, Any]], cfg: Config) -> str:
    """The finished rounds as a table for the terminal."""
    names = headings(rounds)
    rows = [list(names.values()), *(list(row.values()) for row in round_rows(rounds, cfg))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(names))]
    lines = ['| ' + ' | '.join(c.ljust(w) for c, w in zip(row, widths)) + ' |' for row in rows]
    lines.insert(1, '|' + '|'.join('-' * (w + 2) for w in widths) + '|')
    return '\n'.join(lines)


def headings(rounds: Sequence[Dict[str, Any]]) -> Dict[str, str]:
    """Key of each column of :func:`round_rows` -> its heading."""
    columns = ['round', 'scope sparsity', 'network sparsity', 'compute sparsity']
    for name in main_metrics(rounds):
        columns += [name, f'{name} change']
    columns += ['dense ms', 'sparse ms', 'speed-up', 'checkpoint', 'ticket', 'iterations',
                'from start', 'whole chain', 'time']
    return {name: 'change' if name.endswith(' change') else name for name in columns}


def round_rows(rounds: Sequence[Dict[str, Any]], cfg: Config) -> List[Dict[str, str]]:
    """Per finished round: the sparsities, metrics with their change from dense, sizes, time.

    A round 0 that ended early is not the dense model: no change from it is given.
    """
    rows = []
    for entry, length in zip(rounds, lengths(rounds, cfg)):
        if entry['status'] != 'done':
            continue
        row = {'round': name_of(entry),
               'scope sparsity': f'{entry["scope_sparsity"]:.2%}',
               'network sparsity': f'{entry["network_sparsity"]:.2%}',
               'compute sparsity': _fraction(entry.get('compute_sparsity'))}
        for name in main_metrics(rounds):
            value, dense = entry['metrics'].get(name), rounds[0]['metrics'].get(name)
            change = None if ended_early(rounds[0]) or None in (value, dense) else value - dense
            row[name] = '-' if value is None else f'{value:.4f}'
            row[f'{name} change'] = (
                '-' if change is None or not entry['round'] else f'{change:+.4f}')
        rows.append({**row, **_latency(entry.get('latency')),
                     'checkpoint': _size(entry['checkpoint_bytes']),
                     'ticket': _size(entry['ticket_bytes']),
                     'iterations': _iterations(entry, length),
                     'from start': _count(length.from_start),
                     'whole chain': _count(length.chain),
                     'time': f'{entry["seconds"] / 60:.1f} min'})
    return rows


def summary(rounds: Sequence[Dict[str, Any]], work_dir: Path, cfg: Config) -> str:
    """What the run prints at its end."""
    notes = [*endings(rounds, cfg), *budgets(rounds, cfg)]
    return '\n\n'.join([f'The lottery is drawn:\n\n{table(rounds, cfg)}', *notes,
                        f'Report: {work_dir / paths.REPORT}'])


def write(work_dir: Path, rounds: Sequence[Dict[str, Any]], cfg: Config, guard: Guard) -> None:
    """Write the report of all finished rounds: ``report.html``, figures, ``report.json``.

    A section that fails is left out, and ``guard`` notes it.
    """
    found = {entry['round']: guard.run(f'sparsity of round {entry["round"]}', lambda entry=entry: (
        read_json(paths.round_dir(work_dir, entry['round']) / paths.SPARSITY)))
        for entry in rounds[1:]}
    reports = {index: report for index, report in found.items() if report is not None}
    write_json(work_dir / paths.REPORT_JSON, dict(
        rounds=list(rounds), sparsity={f'round_{k}': r for k, r in reports.items()}))
    parts = {'rounds': lambda: Section(
        'rounds', 'Dense against ticket', '\n\n'.join(texts(rounds, cfg)),
        round_rows(rounds, cfg), headings(rounds)),
        'training curves': lambda: curves_section(work_dir, rounds, main_metrics(rounds)),
        'sample images': lambda: samples_section(work_dir, rounds, Path(folder))}
    curve = paths.round_dir(work_dir, 0) / paths.EARLY_BIRD / paths.EARLY_BIRD_CSV
    if curve.exists():
        parts['early-bird masks'] = lambda: early_bird_section(curve)
    parts.update({f'layers of round {k}': lambda k=k, report=report: layers_section(k, report)
                  for k, report in reports.items()})
    name = Path(cfg.filename).name if cfg.filename else work_dir.name
    with TemporaryDirectory() as folder:        # the report has copies of its own
        sections = [guard.run(name, part) for name, part in parts.items()]
        write_report([s for s in sections if s is not None], work_dir, f'Lottery of {name}',
                     guard=guard)


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


def _iterations(entry: Dict[str, Any], length: Length) -> str:
    """Of the round itself; where it ended early, of how many."""
    left = entry['planned_iterations'] - entry['iterations']
    if length.own is None or left <= 0:
        return _count(length.own)
    return f'{length.own} of {length.own + left}'


def _count(number: Optional[int]) -> str:
    return '-' if number is None else str(number)


def _latency(found: Optional[Mapping[str, float]]) -> Dict[str, str]:
    if found is None:
        return {'dense ms': '-', 'sparse ms': '-', 'speed-up': '-'}
    return {'dense ms': f'{found["dense_ms"]:.1f}', 'sparse ms': f'{found["sparse_ms"]:.1f}',
            'speed-up': f'{found["speedup"]:.2f}x'}


def _fraction(value: Optional[float]) -> str:
    return '-' if value is None else f'{value:.2%}'


def _size(count) -> str:
    if count is None:
        return '-'
    return f'{count / 1e6:.1f} MB' if count >= 1e5 else f'{count / 1e3:.1f} kB'
