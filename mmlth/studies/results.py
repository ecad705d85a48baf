"""What a study has found: one row per run, and per setting the mean over seeds."""
import csv
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Dict, List, Sequence

from mmlth.core.figures import plot_settings
from mmlth.core.files import whole_file, write_text
from mmlth.core.paths import FIGURES, LOTTERY
from mmlth.engine.lottery_state import read_lottery

from .run import is_finished, run_dir
from .study import Run, Study

TABLE, ROWS = 'results.md', 'results.csv'


def collect(study: Study, work_dir: Path) -> List[Dict[str, Any]]:
    """One dict per part and finished run.

    Keys: ``part``, ``run``, ``settings`` (without the seed), ``seed``, ``scope_sparsity``,
    ``network_sparsity``, ``dense``, ``ticket``, ``change`` (the metric of round 0, of the last
    round, and their difference), ``iterations`` and ``minutes`` (of all rounds but the
    dense one).
    """
    rows, runs = [], {run.name: run for run in study.runs}
    finished = {name for name, run in runs.items() if is_finished(work_dir, run)}
    for part, combinations in study.parts.items():
        for settings in combinations:
            run = next(r for r in runs.values() if r.parts.get(part) == settings)
            if run.name in finished:
                rows.append(_row(study, work_dir, run, part))
    return rows


def _row(study: Study, work_dir: Path, run: Run, part: str) -> Dict[str, Any]:
    first, *later = read_lottery(run_dir(work_dir, run) / LOTTERY)['rounds']
    dense, ticket = (entry['metrics'].get(study.metric) for entry in (first, later[-1]))
    return dict(
        part=part, run=run.name, seed=run.cfg.randomness.seed,
        settings={key: value for key, value in run.parts[part].items() if key != 'seed'},
        scope_sparsity=later[-1]['scope_sparsity'],
        network_sparsity=later[-1]['network_sparsity'], dense=dense, ticket=ticket,
        change=None if None in (dense, ticket) else ticket - dense,
        iterations=sum(e['iterations'] for e in later),
        minutes=sum(e['seconds'] for e in later) / 60)


def summarise(rows: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Mean and sample standard deviation over the seeds of each part and setting."""
    groups: Dict[Any, List[Dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row['part'], repr(row['settings'])), []).append(row)
    return [dict(
        part=members[0]['part'], settings=members[0]['settings'],
        seeds=sorted(m['seed'] for m in members),
        scope_sparsity=mean(m['scope_sparsity'] for m in members),
        network_sparsity=mean(m['network_sparsity'] for m in members),
        **{f'{key}_{what}': value for key in ('dense', 'ticket', 'change')
           for what, value in _spread([m[key] for m in members]).items()},
        iterations=members[0]['iterations'], minutes=mean(m['minutes'] for m in members))
        for members in groups.values()]


def write_results(study: Study, work_dir: Path) -> str:
    """Write ``results.csv`` (every run), ``results.md`` (means) and a figure per part.

    Returns:
        str: The text of ``results.md``.
    """
    rows = collect(study, work_dir)
    columns = ['part', 'run', 'settings', 'seed', 'scope_sparsity', 'network_sparsity',
               'dense', 'ticket', 'change', 'iterations', 'minutes']
    with whole_file(work_dir / ROWS) as part:
        with open(part, 'w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    text = to_markdown(study.metric, summarise(rows))
    write_text(work_dir / TABLE, text)
    for part in dict.fromkeys(row['part'] for row in rows):
        _plot([row for row in rows if row['part'] == part], study, work_dir, part)
    return text


def _plot(rows: List[Dict[str, Any]], study: Study, work_dir: Path, part: str) -> None:
    rows = [row for row in rows if row['change'] is not None]
    if not rows:
        return
    values: Dict[str, List[float]] = {}
    for row in rows:
        label = '\n'.join(value_text(value) for value in row['settings'].values())
        values.setdefault(label, []).append(row['ticket'])
    dense = {row['seed']: row['dense'] for row in rows}
    plot_settings(values, list(dense.values()), work_dir / FIGURES / f'{part}.png',
                  metric=study.metric, settings=', '.join(rows[0]['settings']),
                  title=f'{study.name}: {part}')


def to_markdown(metric: str, groups: Sequence[Dict[str, Any]]) -> str:
    """The means as one table."""
    lines = [
        f'Metric: {metric}; mean ± sample standard deviation over seeds. Change: ticket less the '
        'dense model of the same seed. Iterations and time: of all rounds but the dense one.',
        '',
        '| part | settings | seeds | scope sparsity | network sparsity | dense | ticket | change '
        '| iterations | time |', '|---|---|---|---|---|---|---|---|---|---|']
    for group in groups:
        cells = [group['part'], settings_text(group['settings']),
                 ', '.join(map(str, group['seeds'])),
                 f'{group["scope_sparsity"]:.2%}', f'{group["network_sparsity"]:.2%}',
                 _value(group, 'dense'), _value(group, 'ticket'), _value(group, 'change', '+'),
                 str(group['iterations']), f'{group["minutes"]:.1f} min']
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def settings_text(settings: Dict[str, Any]) -> str:
    """Settings as people write them."""
    return ', '.join(f'{key} {value_text(value)}' for key, value in settings.items()) or (
        'as in the base')


def value_text(value: Any) -> str:
    """One value of a setting."""
    if value is None:
        return 'none'
    if isinstance(value, dict):
        value = [f'{key}={item}' for key, item in value.items()]
    return '+'.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _spread(values: List[Any]) -> Dict[str, Any]:
    known = [v for v in values if v is not None]
    return dict(mean=mean(known) if known else None,
                std=stdev(known) if len(known) > 1 else None)


def _value(group: Dict[str, Any], key: str, sign: str = '') -> str:
    middle, spread = group[f'{key}_mean'], group[f'{key}_std']
    if middle is None:
        return '-'
    return f'{middle:{sign}.4f}' + ('' if spread is None else f' ± {spread:.4f}')
