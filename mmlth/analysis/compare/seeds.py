"""Which transferred tickets of one name are the same ticket, drawn with several seeds."""
from typing import Dict, List, Sequence

from ..found.run import Run
from .sparsities import tolerance


def tickets_of(runs: Sequence[Run]) -> List[List[Run]]:
    """Runs of one label as tickets, each with the runs of its seeds.

    The sparsity of a transferred ticket is its source's, and no setting; each seed may have a
    source of its own, a little more or less sparse. So gaps between the sparsities tell tickets
    apart. Where a ticket would have a seed twice, runs of one source are together; if each has its
    own, the narrower gaps count that are wider than what lies between them.

    Args:
        runs: That differ in their seed and in the sparsity or the file of their source alone.
    """
    order = sorted(runs, key=_sparsity)
    gaps = [b - a for a, b in zip(map(_sparsity, order), map(_sparsity, order[1:]))]
    wide = [k for k, gap in enumerate(gaps) if gap > tolerance(_sparsity(order[k + 1]))]
    return [ticket for part in _cut(order, wide) for ticket in _once_each_seed(part)]


def _once_each_seed(runs: Sequence[Run]) -> List[List[Run]]:
    if not _twice(runs):
        return [list(runs)]
    sources: Dict[str, List[Run]] = {}
    for run in runs:
        sources.setdefault(run.kind, []).append(run)
    of_sources = list(sources.values())
    return of_sources if len(of_sources) < len(runs) else _at_gaps(runs) or of_sources


def _at_gaps(runs: Sequence[Run]) -> List[List[Run]]:
    """Cut at the fewest widest gaps that leave no seed twice; nothing if they are not clear."""
    at = [_sparsity(run) for run in runs]
    gaps = sorted(range(len(runs) - 1), key=lambda k: at[k] - at[k + 1])
    for count in range(1, len(runs)):
        parts = _cut(runs, gaps[:count])
        if not any(map(_twice, parts)):
            narrowest = min(at[k + 1] - at[k] for k in gaps[:count])
            widest = max(_sparsity(part[-1]) - _sparsity(part[0]) for part in parts)
            return parts if narrowest > widest else []
    return []


def _cut(runs: Sequence[Run], behind: Sequence[int]) -> List[List[Run]]:
    """The runs in parts, each but the last ending with one of these places."""
    ends = [*(k + 1 for k in sorted(behind)), len(runs)]
    return [list(runs[start:end]) for start, end in zip([0, *ends], ends)]


def _twice(runs: Sequence[Run]) -> bool:
    return len({run.seed for run in runs}) < len(runs)


def _sparsity(run: Run) -> float:
    """Of the network, in percent."""
    return 100 * run.ticket.network_sparsity
