"""The numbers behind a figure, and tables of plain values as CSV."""
import csv
import io
from math import isfinite, nan
from typing import Any, Dict, List, Mapping, Sequence

from .section import Figure


def names_of(figure: Figure) -> List[str]:
    """The names along x, in order; none where x is numbers."""
    values = [x for series in figure.series + figure.right for x in series.x]
    if figure.kind == 'bars' or any(isinstance(x, str) for x in values):
        return list(dict.fromkeys(map(str, values)))
    return []


def numbers(values: Sequence[Any]) -> List[float]:
    """Floats, not a number where there is none: matplotlib leaves a gap there."""
    return [float(v) if v is not None and isfinite(v) else nan for v in values]


def figure_rows(figure: Figure) -> List[Dict[str, Any]]:
    """One row per point: axis (left, right, reference), label, x, y, error."""
    rows = [dict(axis=axis, label=series.label, x=x, y=y, error=error)
            for axis, group in (('left', figure.series), ('right', figure.right))
            for series in group
            for x, y, error in zip(series.x, series.y, series.error or [None] * len(series.y))]
    return rows + [dict(axis='reference', label=r.label, x=None, y=r.y, error=r.error)
                   for r in figure.references]


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys, with a header; None is an empty cell."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
