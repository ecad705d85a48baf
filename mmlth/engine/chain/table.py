"""The rounds of a chain as rows: sparsities, metrics, sizes, lengths."""
from typing import Any, Dict, List, Mapping, Optional, Sequence

from mmengine.config import Config

from mmlth.metrics import chosen_metrics, worth_a_column

from .lengths import Length, ended_early, lengths, name_of
from .lottery_spec import LotterySpec


def columns(rounds: Sequence[Dict[str, Any]], cfg: Config) -> List[str]:
    """The metrics worth a column; that of the config's ``save_best`` first."""
    return worth_a_column((name for entry in rounds for name in entry['metrics']),
                          chosen_metrics(cfg))


def one_line(entry: Dict[str, Any], cfg: Config) -> str:
    """One round in one line."""
    metrics = ', '.join(f'{n} {entry["metrics"][n]:.4g}' for n in columns([entry], cfg))
    return (f'scope sparsity {entry["scope_sparsity"]:.2%}, '
            f'network sparsity {entry["network_sparsity"]:.2%}, '
            f'compute sparsity {_fraction(entry.get("compute_sparsity"))}, '
            f'{metrics or "not evaluated"}')


def table(rounds: Sequence[Dict[str, Any]], cfg: Config, spec: LotterySpec) -> str:
    """The finished rounds as a table for the terminal."""
    names = headings(rounds, cfg)
    rows = [list(names.values()), *(list(row.values()) for row in round_rows(rounds, cfg, spec))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(names))]
    lines = ['| ' + ' | '.join(c.ljust(w) for c, w in zip(row, widths)) + ' |' for row in rows]
    lines.insert(1, '|' + '|'.join('-' * (w + 2) for w in widths) + '|')
    return '\n'.join(lines)


def headings(rounds: Sequence[Dict[str, Any]], cfg: Config) -> Dict[str, str]:
    """Key of each column of :func:`round_rows` -> its heading."""
    names = ['round', 'scope sparsity', 'network sparsity', 'compute sparsity']
    for name in columns(rounds, cfg):
        names += [name, f'{name} change']
    names += ['dense ms', 'sparse ms', 'speed-up', 'checkpoint', 'ticket', 'iterations',
                'from start', 'whole chain', 'time']
    return {name: 'change' if name.endswith(' change') else name for name in names}


def round_rows(rounds: Sequence[Dict[str, Any]], cfg: Config,
               spec: LotterySpec) -> List[Dict[str, str]]:
    """Per finished round: the sparsities, metrics with their change from dense, sizes, time.

    A round 0 that ended early is not the dense model: no change from it is given.
    """
    rows = []
    for entry, length in zip(rounds, lengths(rounds, spec.settings, cfg)):
        if entry['status'] != 'done':
            continue
        row = {'round': name_of(entry),
               'scope sparsity': f'{entry["scope_sparsity"]:.2%}',
               'network sparsity': f'{entry["network_sparsity"]:.2%}',
               'compute sparsity': _fraction(entry.get('compute_sparsity'))}
        for name in columns(rounds, cfg):
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
    return 'not known' if number is None else str(number)


def _latency(found: Optional[Mapping[str, float]]) -> Dict[str, str]:
    if found is None:
        return {'dense ms': '-', 'sparse ms': '-', 'speed-up': '-'}
    return {'dense ms': f'{found["dense_ms"]:.1f}', 'sparse ms': f'{found["sparse_ms"]:.1f}',
            'speed-up': f'{found["speedup"]:.2f}x'}


def _fraction(value: Optional[float]) -> str:
    return '-' if value is None else f'{value:.2%}'


def _size(count: Optional[float]) -> str:
    if count is None:
        return '-'
    return f'{count / 1e6:.1f} MB' if count >= 1e5 else f'{count / 1e3:.1f} kB'
