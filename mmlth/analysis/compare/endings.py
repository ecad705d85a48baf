"""Whether dense models were trained to their end: what as many more iterations would add.

A dense model was trained to its end if the control ``control='dense'``, the same model trained on
for as many iterations more, gains less than one sample standard deviation of the dense model over
seeds. That is a rule for means: the interval of the gain may allow more. A ticket that beats a
dense model that was not may owe it to its longer training alone.
"""
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from mmlth.metrics import Metric

from .amounts import deviation_text, difference_text, interval_text
from .correction import Row, correction_text
from .groups import Cell, Group
from .statistics import Comparison

# Of twice the dense training: a rewind point or an epoch may leave some of it out.
_AS_MANY_MORE = 0.95
_ROUNDING = 1e-12       # of the mean: no spread
_YES, _NO = 'trained to their end', 'not trained to their end'
_MEAN = f'{_YES} by the mean, though the interval reaches σ or more'


@dataclass(frozen=True)
class Ending:
    """One dense model and task.

    Args:
        group: Of the dense model.
        metric: What is compared.
        total: Iterations of the dense model and of its training on, mean over seeds; None if it
            was not trained on.
        found: The model trained on less the dense model; None likewise.
    """
    group: Group
    metric: Metric
    total: Optional[float]
    found: Optional[Comparison]

    @property
    def gain(self) -> Optional[float]:
        """What training on adds, in the metric's unit; positive if it makes the model better.

        None if it was not trained on, or if it is not known what is better.
        """
        if self.found is None or self.metric.greater is None:
            return None
        return self.found.difference if self.metric.greater else -self.found.difference

    @property
    def finished(self) -> Optional[bool]:
        """Whether the mean gain is less than one standard deviation; None if that is not known."""
        gain = self.gain
        if gain is None or self.found is None or self.unknown:
            return None
        return gain < (self.found.dense.std or 0.0)

    @property
    def unknown(self) -> str:
        """Why it is not known of what was trained on; empty if it is."""
        if self.found is None:
            return ''
        if self.metric.greater is None:
            return 'without knowing what is better'
        dense = self.found.dense
        if dense.std is None:
            return 'with one seed'
        return '' if dense.std > _ROUNDING * abs(dense.mean) else 'without spread'

    @property
    def reaches(self) -> str:
        """The end of the interval that is a gain of one deviation or more; empty if none is."""
        if not self.finished or self.found is None or self.found.interval is None:
            return ''
        low, high = self.found.interval
        most, side = (high, 1) if self.metric.greater else (-low, 0)
        return '' if most < (self.found.dense.std or 0.0) else (
            interval_text(self.found).split(' to ')[side])

    @property
    def answer(self) -> str:
        """Whether it was trained to its end, in words."""
        if self.finished is None:
            return f'not known {self.unknown}'.strip()
        if self.reaches:
            return f'yes (mean gain below σ; the interval reaches {self.reaches})'
        return 'yes' if self.finished else 'no'

    @property
    def words(self) -> str:
        """Model, data, task and the numbers."""
        name = f'{self.group.label}, {self.metric.task}'
        if self.found is not None:
            name += f' {self.metric.label}'
        if self.found is None:
            return name
        sigma = 'σ unknown: one seed' if self.found.dense.std is None else (
            f'σ {deviation_text(self.found.dense)}')
        interval = interval_text(self.found)
        return (f'{name} ({difference_text(self.found)}'
                + (f', 95 % interval {interval}' if interval else '') + f'; {sigma})')


def endings(groups: Sequence[Group]) -> List[Ending]:
    """One per dense model and task, in the order of the groups.

    Behind an average precision over several IoUs that at 0.50, of which a dense model may be at
    the end long before: how exactly boxes fit is learnt last.
    """
    found = []
    for group in groups:
        every = [_ending(group, metric) for metric in group.metrics_at_50]
        found += [ending for ending in every
                  if ending.found is not None or ending.metric in group.metrics]
    return found


def endings_text(groups: Sequence[Group]) -> str:
    """One short paragraph below a table that compares with dense models."""
    kinds: Dict[str, List[str]] = {kind: [] for kind in (_YES, _MEAN, _NO)}
    unmeasured: List[str] = []
    for ending in endings(groups):
        (unmeasured if ending.found is None else kinds.setdefault(_kind(ending), [])).append(
            ending.words)
    begin = 'Dense models, and what as many more iterations add to them: '
    if not any(kinds.values()):
        return f'{begin}not measured.'
    kinds['not measured'] = unmeasured
    first, *others = (f'{kind}: {"; ".join(names)}.' for kind, names in kinds.items() if names)
    return ' '.join([begin + first, *(other[0].upper() + other[1:] for other in others)])


def _kind(ending: Ending) -> str:
    """What is told of it together with others."""
    if ending.finished is None:
        return f'not known {ending.unknown}'
    return _NO if not ending.finished else _MEAN if ending.reaches else _YES


def evidence_text(rows: Sequence[Row], groups: Sequence[Group]) -> str:
    """What stands below a table that compares with dense models: two paragraphs.

    Args:
        rows: Of the table.
        groups: That it has rows of, or that might have given it some.
    """
    shown = [group for group in groups if group.label in {row['group'] for row in rows}]
    return f'{correction_text(rows)}\n\n{endings_text(shown)}'


def _ending(group: Group, metric: Metric) -> Ending:
    for total, cell in sorted(_long_ones(group), key=lambda each: each[0]):
        found = group.compare(cell, metric)
        if found is not None:
            return Ending(group, metric, total, found)
    return Ending(group, metric, None, None)


def _long_ones(group: Group) -> Iterator[Tuple[float, Cell]]:
    """The dense model, trained on for as many iterations more, with how many it then has."""
    once = group.dense_iterations
    for cell in group.cells:
        total = cell.length('from_start')
        if cell.trained_on and once and total is not None and (
                total >= 2 * _AS_MANY_MORE * once):
            yield total, cell
