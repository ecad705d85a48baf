"""Means, deviations and differences as text, with the digits that their spread asks for."""
from math import ceil, log10
from typing import Optional

from .statistics import Comparison, Spread

_LEAST, _MOST = 2, 9        # digits after the point
_OF_VALUE = 0.01            # stands for the spread where there is none


def mean_text(value: Spread) -> str:
    """E.g. ``'70.51'``; of a fraction ``'0.3648'``."""
    return f'{value.mean:.{_of(value)}f}'


def spread_text(value: Spread) -> str:
    """E.g. ``'70.51 ± 0.42'``; without a deviation its mean."""
    return mean_text(value) + ('' if value.std is None else f' ± {deviation_text(value)}')


def deviation_text(value: Spread) -> str:
    """E.g. ``'0.42'``, of a value that has a deviation."""
    return f'{value.std:.{_of(value)}f}'


def difference_text(found: Comparison) -> str:
    """E.g. ``'+0.10'``."""
    return f'{found.difference:+.{_of_difference(found)}f}'


def interval_text(found: Comparison) -> str:
    """E.g. ``'-0.20 to +0.41'``; empty where there is none."""
    return ' to '.join(f'{end:+.{_of_difference(found)}f}' for end in found.interval or ())


def _of(value: Spread) -> int:
    return _digits(value.std, value.mean)


def _of_difference(found: Comparison) -> int:
    half = found.interval and (found.interval[1] - found.interval[0]) / 2
    return _digits(half or found.std, found.ticket.mean)


def _digits(spread: Optional[float], value: float) -> int:
    """As many as show the first digit of a spread; rounding errors are none."""
    for size in (spread or 0.0, _OF_VALUE * abs(value)):
        if size > 10 ** -_MOST:
            return max(_LEAST, ceil(-log10(size)))
    return _LEAST
