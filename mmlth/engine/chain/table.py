"""The rounds of a chain as rows: sparsities, metrics, sizes, lengths."""
from typing import Any, Dict, List, Mapping, Optional, Sequence

from mmengine.config import Config

from .lengths import Length, ended_early, lengths, name_of

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
