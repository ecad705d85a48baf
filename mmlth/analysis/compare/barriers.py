"""How high the error rises between two networks (Frankle et al. 2020, section 2)."""
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from mmlth.metrics import Metric, metrics_of

LOSS = 'training loss'


@dataclass(frozen=True)
class Barrier:
    """The barrier on one line.

    Args:
        alphas: Of the points, 0 and 1 the ends.
        errors: There.
    """
    alphas: Tuple[float, ...]
    errors: Tuple[float, ...]

    @property
    def ends(self) -> float:
        """The mean error of both ends."""
        return (self.errors[0] + self.errors[-1]) / 2

    @property
    def highest(self) -> float:
        """The highest error on the line, its ends included."""
        return max(self.errors)

    @property
    def at(self) -> float:
        """Where that is."""
        return self.alphas[self.errors.index(self.highest)]

    @property
    def height(self) -> float:
        """The highest error less the mean of the ends: what Frankle et al. call instability.

        It is never below half of what the ends differ by.
        """
        return self.highest - self.ends


def barrier_of(line: Mapping[str, Any], metric: Optional[Metric]) -> Optional[Barrier]:
    """The barrier in a metric, or with None in the training loss; None if a point has no value.

    Args:
        line: Of :func:`mmlth.analysis.measure.connectivity.line_of`.
        metric: Of its points.
    """
    points = line['points']
    values = [point['loss'] if metric is None else metric.of(point['metrics'])
              for point in points]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    errors = known if metric is None else [error_of(metric, value) for value in known]
    return Barrier(tuple(point['alpha'] for point in points), tuple(errors))


def error_of(metric: Metric, value: float) -> float:
    """What is lacking: of percentages to 100; of what is worse the greater, itself; else -value."""
    if not metric.greater:
        return value
    return 100 - value if metric.unit == '%' else -value


def error_axis(metric: Optional[Metric]) -> str:
    """What :func:`error_of` gives, with its unit."""
    if metric is None:
        return LOSS
    if not metric.greater:
        return metric.axis
    return f'100 - {metric.axis}' if metric.unit == '%' else f'-({metric.axis})'


def errors_of(lines: Sequence[Mapping[str, Any]], cfg: Mapping[str, Any]) -> List[Metric]:
    """The main metric of each task that was measured on lines of a config's networks.

    Without those of which it is not known whether more is better: they tell no error.
    """
    return [metric for metric in _measured(lines, cfg) if metric.greater is not None]


def unclear_text(lines: Sequence[Mapping[str, Any]], cfg: Mapping[str, Any]) -> str:
    """Which metrics :func:`errors_of` leaves out, in a sentence; empty if none."""
    names = [metric.name for metric in _measured(lines, cfg) if metric.greater is None]
    return '' if not names else (
        f'Whether more is better is not known of {", ".join(names)}, so that they tell no error: '
        "the CheckpointHook's save_best and rule in the config say it.")


def _measured(lines: Sequence[Mapping[str, Any]], cfg: Mapping[str, Any]) -> List[Metric]:
    names = dict.fromkeys(name for line in lines for point in line['points']
                          for name in point['metrics'])
    return metrics_of(names, [cfg])
