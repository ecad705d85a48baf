"""What a study has found: one row per run, and per setting the mean over seeds."""
import csv
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Dict, List, Optional, Sequence, Tuple

from mmlth.analysis import analyze
from mmlth.analysis.compare.correction import holm
from mmlth.analysis.compare.endings import endings_text
from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.compare.statistics import compare
from mmlth.analysis.compare.wording import settings_text
from mmlth.analysis.found.runs import find_runs
from mmlth.core.errors import UserError
from mmlth.core.files import whole_file, write_text
from mmlth.core.paths import LOTTERY
from mmlth.engine.chain.lengths import ended_early, is_trained, lengths
from mmlth.engine.chain.state import read_lottery
from mmlth.metrics import metric_of
from mmlth.report.guard import Guard

from .one import is_finished
from .study import Run, Study, run_dir
from .times import read_sessions, sessions_text

TABLE, ROWS, ANALYSIS = 'results.md', 'results.csv', 'analysis'


def collect(study: Study, root: Path) -> List[Dict[str, Any]]:
    """One dict per part, finished run and metric.

    Keys: ``part``, ``run``, ``metric``, ``settings`` (without the seed), ``seed``,
    ``scope_sparsity``, ``network_sparsity``, ``compute_sparsity`` (None if unknown), ``dense``,
    ``ticket``, ``change`` (the metric of the dense training, of the last round, and their
    difference; None where round 0 ended before its schedule), ``iterations`` and ``minutes`` (of
    all rounds but the dense one), ``from_start`` and ``chain`` (iterations of the ticket since
    its initialisation, and of all rounds; None where the rewind point's iteration is not known).
    """
    rows, runs = [], {run.name: run for run in study.runs}
    lotteries = {run.name: read_lottery(run_dir(root, run) / LOTTERY)['rounds']
                 for run in study.runs if is_finished(root, run)}
    dense = {_dense(runs[name], rounds): rounds[0]['metrics'] for name, rounds in lotteries.items()
             if not ended_early(rounds[0]) and is_trained(rounds[0])}
    for part, combinations in study.parts.items():
        for settings in combinations:
            run = next(r for r in runs.values() if r.parts.get(part) == settings)
            if run.name in lotteries:
                first = dense.get(_dense(run, lotteries[run.name]), {})
                rows += [_row(run, part, metric, first, lotteries[run.name])
                         for metric in run.metrics]
    return rows


def _dense(run: Run, rounds: List[Dict[str, Any]]) -> Tuple[str, Optional[str]]:
    """Equal for lotteries of the same dense model: its training, or the file that was given."""
    given = rounds[0].get('given')
    return run.dense, given and given['dense']['sha256']


def _row(run: Run, part: str, metric: str, dense: Dict[str, float],
         rounds: List[Dict[str, Any]]) -> Dict[str, Any]:
    later, measured = rounds[1:], lengths(rounds, run.spec.settings, run.cfg)
    before, after = dense.get(metric), later[-1]['metrics'].get(metric)
    own = [length.own for length in measured[1:]]
    return dict(
        part=part, run=run.name, metric=metric, seed=run.seed,
        settings={key: value for key, value in run.parts[part].items() if key != 'seed'},
        scope_sparsity=later[-1]['scope_sparsity'],
        network_sparsity=later[-1]['network_sparsity'],
        compute_sparsity=later[-1].get('compute_sparsity'), dense=before, ticket=after,
        change=None if None in (before, after) else after - before,
        iterations=None if None in own else sum(own),
        minutes=sum(e['seconds'] for e in later) / 60,
        from_start=measured[-1].from_start, chain=measured[-1].chain)


def summarise(rows: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Mean and sample standard deviation over the seeds of each part and setting, and a test.

    Beside them ``interval`` (95 %, of the change) and ``p``, both None without two seeds of both,
    and ``p_corrected``: for the number of comparisons in ``rows`` (Holm); what stands in several
    parts is one.
    """
    groups: Dict[Any, List[Dict[str, Any]]] = {}
    for row in rows:
        key = (row['part'], repr(row['settings']), row['metric'])
        groups.setdefault(key, []).append(row)
    found = [_group(members) for members in groups.values()]
    tested = {_comparison_key(group): group['p'] for group in found if group['p'] is not None}
    corrected = dict(zip(tested, holm(list(tested.values()))))
    return [{**group, 'p_corrected': corrected.get(_comparison_key(group))} for group in found]


def _group(members: List[Dict[str, Any]]) -> Dict[str, Any]:
    """The runs of one setting that differ in their seed alone."""
    dense, ticket = ({row['seed']: row[key] for row in members if row[key] is not None}
                     for key in ('dense', 'ticket'))
    found = compare(dense, ticket, metric_of(members[0]['metric']).greater)
    return dict(
        part=members[0]['part'], settings=members[0]['settings'], metric=members[0]['metric'],
        seeds=sorted(m['seed'] for m in members),
        scope_sparsity=mean(m['scope_sparsity'] for m in members),
        network_sparsity=mean(m['network_sparsity'] for m in members),
        compute_sparsity=_spread([m.get('compute_sparsity') for m in members])['mean'],
        **{f'{key}_{what}': value for key in ('dense', 'ticket', 'change')
           for what, value in _spread([m[key] for m in members]).items()},
        interval=found and found.interval, p=found and found.p,
        iterations=members[0]['iterations'], minutes=mean(m['minutes'] for m in members),
        from_start=members[0]['from_start'], chain=members[0]['chain'])


def _comparison_key(group: Dict[str, Any]) -> tuple:
    """Equal for the same runs in several parts of a study."""
    return tuple(group[key] for key in ('metric', 'dense_mean', 'ticket_mean', 'interval', 'p'))


def write_results(study: Study, root: Path) -> str:
    """What a study ends in: the table of its means, all numbers, and the analysis.

    Written to ``root/NAME_OF_STUDY``: ``results.csv`` (every run), ``results.md`` (means with
    their tests, whether the dense models were trained to their end, wall time), and
    ``analysis/report.html`` (:func:`mmlth.analysis.analyze`), once a run is finished.

    Returns:
        str: The text of ``results.md``.
    """
    folder, rows = Path(root) / study.name, collect(study, root)
    columns = ['part', 'run', 'metric', 'settings', 'seed', 'scope_sparsity', 'network_sparsity',
               'compute_sparsity', 'dense', 'ticket', 'change', 'iterations', 'minutes',
               'from_start', 'chain']
    with whole_file(folder / ROWS) as part:
        with open(part, 'w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    text = to_markdown(summarise(rows), _endings(folder) if rows else '',
                       sessions_text(read_sessions(folder)))
    write_text(folder / TABLE, text)
    if rows:
        guard = Guard()
        guard.run('analysis', lambda: analyze(
            [folder], folder / ANALYSIS, title=study.name, guard=guard))
        if 'analysis' in guard.skipped:
            print(f'No analysis: {guard.skipped["analysis"]}')
    return text


def to_markdown(groups: Sequence[Dict[str, Any]], *notes: str) -> str:
    """The means as one table, to be pasted into a page.

    Args:
        groups: Of :func:`summarise`.
        notes: Paragraphs below the table; empty ones are left out.
    """
    count = len({_comparison_key(group) for group in groups if group['p'] is not None})
    test = (f'p: two-sided paired t test, corrected by Holm for the {count} '
            f'comparison{"" if count == 1 else "s"} of this table.' if count else
            'No p value: a test needs two seeds at least, and some spread.')
    lines = [
        'Mean ± sample standard deviation over seeds. Change: ticket less the dense model of the '
        f'same seed, with its 95 % interval. {test} Iterations and time: of all rounds but the '
        'dense one; from start: of the ticket since its initialisation; whole chain: of all '
        'rounds.', '',
        '| part | settings | metric | seeds | scope sparsity | network sparsity '
        '| compute sparsity | dense | ticket | change | 95 % interval | p (Holm) | iterations '
        '| from start | whole chain | time |', f'|{"---|" * 16}']
    for group in groups:
        cells = [group['part'], settings_text(group['settings']), group['metric'],
                 ', '.join(map(str, group['seeds'])),
                 f'{group["scope_sparsity"]:.2%}', f'{group["network_sparsity"]:.2%}',
                 '-' if group['compute_sparsity'] is None else f'{group["compute_sparsity"]:.2%}',
                 _value(group, 'dense'), _value(group, 'ticket'), _value(group, 'change', '+'),
                 '-' if group['interval'] is None else ' to '.join(
                     f'{end:+.4f}' for end in group['interval']),
                 '-' if group['p_corrected'] is None else f'{group["p_corrected"]:.2g}',
                 *(_count(group[key]) for key in ('iterations', 'from_start', 'chain')),
                 f'{group["minutes"]:.1f} min']
        lines.append(f'| {" | ".join(cells)} |')
    return '\n\n'.join(['\n'.join(lines), *filter(None, notes)]) + '\n'


def _endings(folder: Path) -> str:
    """Whether the dense models were trained to their end."""
    try:
        return endings_text(group_runs(find_runs([folder]).runs))
    except UserError:       # the analysis says why
        return ''


def _count(number: Optional[int]) -> str:
    return '-' if number is None else str(number)


def _spread(values: List[Any]) -> Dict[str, Any]:
    known = [v for v in values if v is not None]
    return dict(mean=mean(known) if known else None,
                std=stdev(known) if len(known) > 1 else None)


def _value(group: Dict[str, Any], key: str, sign: str = '') -> str:
    middle, spread = group[f'{key}_mean'], group[f'{key}_std']
    if middle is None:
        return '-'
    return f'{middle:{sign}.4f}' + ('' if spread is None else f' ± {spread:.4f}')
