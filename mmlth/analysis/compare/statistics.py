"""Dense against ticket over seeds: spread, difference, confidence interval, test."""
import warnings
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Callable, Dict, Hashable, Iterable, Optional, Sequence, Tuple

import numpy as np
from scipy import stats

BySeed = Dict[Hashable, float]
_CONFIDENCE = 0.95
_Test = Tuple[Optional[Tuple[float, float]], Optional[float]]      # interval, p


@dataclass(frozen=True)
class Spread:
    """Mean, sample standard deviation (None for one value) and number of values."""
    mean: float
    std: Optional[float]
    n: int


@dataclass(frozen=True)
class Comparison:
    """What separates a ticket from its dense model.

    Args:
        dense: Over the dense model's seeds; if paired, over those that the ticket has too.
        ticket: Over the ticket's seeds, likewise.
        paired: Whether the test is paired over shared seeds; else it is Welch's.
        n: Pairs; or for Welch's test the smaller number of seeds.
        difference: Ticket less dense, mean over the pairs or of the means.
        std: Sample standard deviation of the difference over pairs, of Welch's test the
            root of the summed variances. None for one value.
        interval: Its confidence interval at 95 %. None where no test is possible: one
            seed, or no spread at all.
        p: Two-sided p value of the hypothesis that there is no difference. None likewise.
        worse: Whether the interval lies wholly on the side where the ticket is worse. None if it
            is not known which that is.
        winning: The paper's rule: the ticket's mean is not worse than the dense mean by more than
            one standard deviation of the dense model. None with fewer than two seeds of either,
            or if it is not known what is worse.
    """
    dense: Spread
    ticket: Spread
    paired: bool
    n: int
    difference: float
    std: Optional[float]
    interval: Optional[Tuple[float, float]]
    p: Optional[float]
    worse: Optional[bool]
    winning: Optional[bool]


def spread(values: Iterable[float]) -> Spread:
    """Of at least one value."""
    values = list(values)
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


def mean_of_known(values: Iterable[Optional[float]]) -> Optional[float]:
    """Of at least one value; None if one of them is not known."""
    found = list(values)
    known = [value for value in found if value is not None]
    return fmean(known) if len(known) == len(found) else None


def compare(dense: BySeed, ticket: BySeed,
            greater: Optional[bool] = True) -> Optional[Comparison]:
    """Compare by seed (the paper, 4.3: within one standard deviation of the dense model).

    Seeds that both have are paired, for their trainings begin alike; with fewer than two of them,
    and tickets of other seeds, Welch's t test compares the two samples.

    Args:
        dense: Seed -> value.
        ticket: Seed -> value.
        greater: Whether more is better; None if that is not known. Default: True.

    Returns:
        None if one of them is empty.
    """
    if not dense or not ticket:
        return None
    shared = [seed for seed in ticket if seed in dense]
    paired = len(shared) > 1 or len(shared) == len(ticket)
    if paired:
        dense, ticket = ({seed: of[seed] for seed in shared} for of in (dense, ticket))
    first, second = spread(dense.values()), spread(ticket.values())
    if paired:
        deltas = spread([ticket[seed] - dense[seed] for seed in shared])
        difference, std = deltas.mean, deltas.std
        interval, p = _paired(list(dense.values()), list(ticket.values()))
    else:
        difference, std = second.mean - first.mean, None
        if first.std is not None and second.std is not None:
            std = float(np.hypot(first.std, second.std))
        interval, p = _welch(list(dense.values()), list(ticket.values()))
    n = min(first.n, second.n)
    return Comparison(first, second, paired, n, difference, std, interval, p,
                      _worse(interval, greater), _winning(first, second, greater))


def _worse(interval: Optional[Tuple[float, float]], greater: Optional[bool]) -> Optional[bool]:
    """See :class:`Comparison`."""
    if greater is None:
        return None
    return interval is not None and (interval[1] < 0 if greater else interval[0] > 0)


def _winning(dense: Spread, ticket: Spread, greater: Optional[bool]) -> Optional[bool]:
    """See :class:`Comparison`."""
    if greater is None or dense.std is None or ticket.std is None:
        return None
    loss = dense.mean - ticket.mean if greater else ticket.mean - dense.mean
    return loss <= dense.std


def _paired(dense: Sequence[float], ticket: Sequence[float]) -> _Test:
    """Interval and p value of the paired t test."""
    deltas = np.subtract(ticket, dense)
    if len(deltas) < 2 or _constant(deltas.tolist(), [*dense, *ticket]):
        return None, None
    return _result(stats.ttest_rel, ticket, dense)


def _welch(dense: Sequence[float], ticket: Sequence[float]) -> _Test:
    """Interval and p value of Welch's t test."""
    if min(len(dense), len(ticket)) < 2 or (
            _constant(dense, dense) and _constant(ticket, ticket)):
        return None, None
    return _result(stats.ttest_ind, ticket, dense, equal_var=False)


def _result(function: Callable, *values: Sequence[float], **options: bool) -> _Test:
    with warnings.catch_warnings():
        # Of a sample without spread; it is no trouble as long as the other one has some.
        warnings.filterwarnings('ignore', 'Precision loss', RuntimeWarning)
        test = function(*values, **options)
    low, high = test.confidence_interval(_CONFIDENCE)
    return (float(low), float(high)), float(test.pvalue)


def _constant(values: Sequence[float], of: Sequence[float]) -> bool:
    """Whether the spread is only that of rounding numbers of such a size."""
    return float(np.ptp(values)) <= 1e-12 * float(np.max(np.abs(of)))
