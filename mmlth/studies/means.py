"""The means of a study: per setting over its seeds, and a test, as one table."""
from statistics import mean, stdev
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple

from mmlth.analysis.compare.correction import holm
from mmlth.analysis.compare.statistics import compare, mean_of_known
from mmlth.analysis.compare.wording import settings_text
from mmlth.metrics import metric_of
from mmlth.report.cells import markdown


def summarise(rows: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Mean and sample standard deviation over the seeds of each part and setting, and a test.

    ``change_mean`` and ``change_std`` are what the test compares
    (:class:`~mmlth.analysis.compare.statistics.Comparison`); ``iterations``, ``from_start`` and
    ``chain`` are means, whole numbers, None where a run's is not known. Beside them
    ``interval`` (95 %, of the change) and ``p``, both None without two seeds of both, and
    ``p_corrected``: for the number of comparisons in ``rows`` (Holm); what stands in several parts
    is one.
    """
    groups: Dict[Any, List[Dict[str, Any]]] = {}
    for row in rows:
        key = (row['part'], repr(row['settings']), row['metric'])
        groups.setdefault(key, []).append(row)
    found = [_group(members) for members in groups.values()]
    tested = _tested(found)
    corrected = dict(zip(tested, holm(list(tested.values()))))
    return [{**group, 'p_corrected': corrected.get(_comparison(group))} for group in found]


def _group(members: List[Dict[str, Any]]) -> Dict[str, Any]:
    """The runs of one setting that differ in their seed alone."""
    dense, ticket = ({row['seed']: row[key] for row in members if row[key] is not None}
                     for key in ('dense', 'ticket'))
    found = compare(dense, ticket, metric_of(members[0]['metric']).greater)
    return dict(
        part=members[0]['part'], settings=members[0]['settings'], metric=members[0]['metric'],
        seeds=sorted(m['seed'] for m in members), runs=frozenset(m['run'] for m in members),
        scope_sparsity=mean(m['scope_sparsity'] for m in members),
        network_sparsity=mean(m['network_sparsity'] for m in members),
        compute_sparsity=_spread([m.get('compute_sparsity') for m in members])['mean'],
        **{f'{key}_{what}': value for key in ('dense', 'ticket')
           for what, value in _spread([m[key] for m in members]).items()},
        change_mean=found and found.difference, change_std=found and found.std,
        interval=found and found.interval, p=found and found.p,
        minutes=mean(m['minutes'] for m in members),
        **{key: _count([m[key] for m in members])
           for key in ('iterations', 'from_start', 'chain')})


def _comparison(group: Dict[str, Any]) -> Tuple[str, FrozenSet[str]]:
    """Equal for the same runs in several parts of a study."""
    return group['metric'], group['runs']


def _tested(groups: Sequence[Dict[str, Any]]) -> Dict[Tuple[str, FrozenSet[str]], float]:
    """The p values that there are: each comparison once."""
    return {_comparison(group): group['p'] for group in groups if group['p'] is not None}


def to_markdown(groups: Sequence[Dict[str, Any]], *notes: str) -> str:
    """The means as one table, to be pasted into a page.

    Args:
        groups: Of :func:`summarise`.
        notes: Paragraphs below the table; empty ones are left out.
    """
    count = len(_tested(groups))
    test = ("p: two-sided t test, paired where seeds are shared, else Welch's; corrected by Holm "
            f'for the {count} comparison{"" if count == 1 else "s"} of this table.' if count else
            'No p value: a test needs two seeds at least, and some spread.')
    lines = [
        'Mean ± sample standard deviation over seeds. Change: ticket less dense model, over the '
        'seeds that both have where two are shared or all of the ticket, else of the means; with '
        f'its 95 % interval. {test} Iterations and time (means): of all rounds but the dense one; '
        'from start: of the ticket since its initialisation; whole chain: of all rounds.', '',
        '| part | settings | metric | seeds | scope sparsity | network sparsity '
        '| compute sparsity | dense | ticket | change | 95 % interval | p (Holm) | iterations '
        '| from start | whole chain | time |', f'|{"---|" * 16}']
    for group in groups:
        cells = [*map(markdown, (group['part'], settings_text(group['settings']), group['metric'])),
                 ', '.join(map(str, group['seeds'])),
                 f'{group["scope_sparsity"]:.2%}', f'{group["network_sparsity"]:.2%}',
                 '-' if group['compute_sparsity'] is None else f'{group["compute_sparsity"]:.2%}',
                 _value(group, 'dense'), _value(group, 'ticket'), _value(group, 'change', '+'),
                 '-' if group['interval'] is None else ' to '.join(
                     f'{end:+.4f}' for end in group['interval']),
                 '-' if group['p_corrected'] is None else f'{group["p_corrected"]:.2g}',
                 *('-' if group[key] is None else str(group[key])
                   for key in ('iterations', 'from_start', 'chain')),
                 f'{group["minutes"]:.1f} min']
        lines.append(f'| {" | ".join(cells)} |')
    return '\n\n'.join(['\n'.join(lines), *filter(None, notes)]) + '\n'


def _count(numbers: List[Optional[int]]) -> Optional[int]:
    """Their mean, as a whole number; None if one of them is not known."""
    middle = mean_of_known(numbers)
    return None if middle is None else round(middle)


def _spread(values: List[Any]) -> Dict[str, Any]:
    known = [v for v in values if v is not None]
    return dict(mean=mean(known) if known else None,
                std=stdev(known) if len(known) > 1 else None)


def _value(group: Dict[str, Any], key: str, sign: str = '') -> str:
    middle, spread = group[f'{key}_mean'], group[f'{key}_std']
    if middle is None:
        return '-'
    return f'{middle:{sign}.4f}' + ('' if spread is None else f' ± {spread:.4f}')
