"""The courses of the trainings of a lottery: loss and metrics of each round."""
import json
import math
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmlth.core import paths
from mmlth.core.files import write_json
from mmlth.report import Figure, Section, Series

from .final import numbers

POINTS = 40     # of a line at most; more are averaged
SHORT = 20      # iterations; a shorter training has no course
_KEY = 'mmlth_validations'
Curve = List[Tuple[float, float]]       # iteration, value


class CurvesHook(Hook):
    """Note at which iteration each validation was, in what a checkpoint keeps.

    The logs of mmengine do not say it: a loop that counts iterations logs epoch 0.
    """

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        hub = runner.message_hub
        noted = list(hub.runtime_info.get(_KEY, []))
        hub.update_info(_KEY, [*noted, [runner.iter, numbers(metrics or {})]])


def keep_curves(runner: Runner, folder: Path) -> None:
    """Write the loss and the metrics of a training that has ended as ``curves.json``.

    A training that was resumed has its whole course, for checkpoints keep it.

    Args:
        runner: Its Runner.
        folder: Of its round.
    """
    hub, curves = runner.message_hub, {}
    if 'train/loss' in hub.log_scalars:
        values, _ = hub.get_scalar('train/loss').data
        first = runner.iter - len(values) + 1
        curves['loss'] = thinned([(first + i, float(v)) for i, v in enumerate(values)])
    for iteration, metrics in hub.runtime_info.get(_KEY, []):
        for name, value in metrics.items():
            curves.setdefault(name, []).append((iteration, value))
    write_json(folder / paths.CURVES, curves)


def thinned(curve: Curve) -> Curve:
    """At most :data:`POINTS` points, the mean of neighbours; what is not finite is left out."""
    points = [(x, y) for x, y in curve if math.isfinite(y)]
    size = max(1, math.ceil(len(points) / POINTS))
    groups = [points[i:i + size] for i in range(0, len(points), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def curves_section(work_dir: Path, rounds: Sequence[Mapping[str, Any]],
                   metrics: Sequence[str]) -> Optional[Section]:
    """Loss and metrics of all rounds against the iteration.

    Args:
        work_dir: The lottery's.
        rounds: Its entries in ``lottery.json``.
        metrics: Names of those that are drawn.

    Returns:
        Section: None where there is no course: of short trainings, and of lotteries of before,
        which kept none.
    """
    kept = {'dense' if entry['round'] == 0 else f'round {entry["round"]}': _read(
        paths.round_dir(work_dir, entry['round'])) for entry in rounds
        if entry['iterations'] >= SHORT and not entry.get('given')}
    figures = [figure for i, name in enumerate(['loss', *metrics])
               if (figure := _figure(f'curve_{i}', name, kept))]
    if not figures:
        return None
    rows = [dict(curve=figure.ylabel, round=series.label, iteration=x, value=y)
            for figure in figures for series in figure.series
            for x, y in zip(series.x, series.y)]
    return Section('curves', 'Training curves', 'The loss of the training data, the mean of at '
                   f'most {POINTS} stretches of each round, and the metrics of each validation.',
                   rows, figures=figures)


def _figure(key: str, name: str, kept: Mapping[str, Mapping[str, Curve]]) -> Optional[Figure]:
    """One value of all rounds; None where no line has two points."""
    lines = {label: curves[name] for label, curves in kept.items() if curves.get(name)}
    if max(map(len, lines.values()), default=0) < 2:
        return None
    series = [Series(label, [x for x, _ in points], [y for _, y in points])
              for label, points in lines.items()]
    return Figure(key, 'lines', f'{name} in the course of each round.', 'iteration', name, series)


def _read(folder: Path) -> Dict[str, Curve]:
    path = folder / paths.CURVES
    return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}
