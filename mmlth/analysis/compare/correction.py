"""The p values of one table, corrected for how many they are, and what may be claimed by them."""
from typing import Any, Dict, List, Optional, Sequence

Row = Dict[str, Any]
LEVEL = 0.05
BETTER, WORSE, OPEN = 'better', 'worse', 'no difference shown'
HIGHER, LOWER = 'higher', 'lower'      # of metrics of which it is not known what is better
ONE_SEED, NO_SPREAD = 'none', 'none (no spread)'    # why there is no test


def holm(p_values: Sequence[float]) -> List[float]:
    """Corrected p values, in the order of ``p_values`` (Holm 1979).

    The smallest of m is multiplied by m, the next by m - 1, and so on; none gets smaller than
    one before it, none larger than 1. Whoever takes those below a level for differences is
    wrong in any of them with no more than that probability, however they depend on one another.
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def correct(rows: Sequence[Row]) -> List[Row]:
    """The rows of one table with ``p_corrected`` and ``verdict``.

    Args:
        rows: With the keys of :func:`mmlth.analysis.compare.rows.difference_cells`. A row that
            stands twice is one comparison.
    """
    tested = _tested(rows)
    corrected = holm([row['p'] for row in tested])

    def of(row: Row) -> Optional[float]:
        return None if row['p'] is None else corrected[tested.index(row)]

    return [{**row, 'p_corrected': of(row), 'verdict': _verdict(row, of(row))} for row in rows]


def correction_text(rows: Sequence[Row]) -> str:
    """How many comparisons a table has, and what that does to its p values."""
    count = len(_tested(rows))
    if not count:
        return ('No p value: a test needs two seeds of the dense model and of the ticket at least, '
                'and some spread.')
    return ('p: two-sided t test, paired where seeds are shared, else Welch\'s; corrected by Holm '
            f'for the {count} comparison{"s" if count > 1 else ""} of this table. Intervals: 95 %, '
            'each by itself.')


def _tested(rows: Sequence[Row]) -> List[Row]:
    """The different rows that have a p value."""
    found: List[Row] = []
    for row in rows:
        if row['p'] is not None and row not in found:
            found.append(row)
    return found


def _verdict(row: Row, p: Optional[float]) -> Optional[str]:
    """In words; None where nothing was compared."""
    if row['test'] is None:
        return None
    if p is None:
        return 'no verdict (one seed)' if row['test'] == ONE_SEED else 'no verdict (no spread)'
    # Below the level after the correction, so before it: the interval is on one side of 0.
    if p >= LEVEL:
        return OPEN
    if row['worse'] is None:
        return HIGHER if row['low'] > 0 else LOWER
    return WORSE if row['worse'] else BETTER
