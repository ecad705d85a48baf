"""Which models of one name are the same, with several seeds: given ones, transferred tickets."""
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from ..found.run import Run
from .sparsities import tolerance


def of_one_dense(runs: Sequence[Run]) -> List[List[Run]]:
    """Runs of one training, apart where they were given several dense models.

    Each seed may have a checkpoint of its own. Only where one seed has two, files of one name are
    together; if that leaves a seed two, each file is alone.
    """
    parts = [list(runs)]
    for key in (_file_name, _digest):
        parts = [own for part in parts for own in (
            _by(part, key) if _several_given(part) else [part])]
    return parts


def _several_given(runs: Sequence[Run]) -> bool:
    """Whether a seed has two dense models that were given."""
    return len({(run.seed, _digest(run)) for run in runs}) > len({run.seed for run in runs})


def _file_name(run: Run) -> Optional[str]:
    return run.dense.given and Path(run.dense.given).name


def _digest(run: Run) -> Optional[str]:
    return run.dense.given_digest


def _by(runs: Sequence[Run], key: Callable[[Run], Optional[str]]) -> List[List[Run]]:
    found: Dict[Optional[str], List[Run]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    return list(found.values())


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
    of_sources = _by(runs, lambda run: run.kind)
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
