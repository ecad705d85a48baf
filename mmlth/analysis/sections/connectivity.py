"""Linear mode connectivity: barriers between children of one rewind point (Frankle et al. 2020)."""
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from mmlth.core.errors import UserError
from mmlth.report import Figure, Section, Series
from mmlth.report.keys import slug

from ..compare.barriers import LOSS, Barrier, barrier_of, error_axis, errors_of, unclear_text
from ..compare.families import family_labels
from ..compare.groups import Group, group_runs
from ..compare.rows import BAND_TEXT, band
from ..compare.sparsities import percents
from ..compare.statistics import Spread, spread
from ..found.children import Child, Pair, siblings
from ..found.labels import DIRECT
from ..found.run import Run
from ..measure.connectivity import Line, known_line
from ..measure.evaluate import Evaluations

_COLUMNS = {
    'group': 'model, data', 'network': 'network', 'rewound_to': 'rewound to iteration',
    'seed': 'seed', 'noises': 'noise', 'error': 'error', 'ends': 'mean of the ends',
    'highest': 'highest', 'at': 'at', 'barrier': 'barrier'}
_VARY = ('to', 'noise', 'sparsity')     # what the labels of networks leave out
_ABOUT = (
    'Two children are trained from one rewind point with other SGD noise: the order of the data '
    'and their augmentation. Along the straight line between their weights the error is measured; '
    'the barrier is its highest value less the mean of both ends (Frankle et al. 2020, "Linear '
    'Mode Connectivity and the Lottery Ticket Hypothesis"). Where it is about zero, the children '
    'are in one valley: from that point on the training is stable to the noise, and there, they '
    'found, tickets win. It is never below half of what the ends differ by, so that it is to be '
    'compared with the spread of the metric.')


class Measured(NamedTuple):
    """A pair of networks and the line between them."""
    pair: Pair
    line: Line


@dataclass(frozen=True)
class _Point:
    """A barrier, and the place that it has in tables and figures."""
    group: str
    network: str
    error: str
    pair: Pair
    images: int
    barrier: Barrier

    @property
    def rewound_to(self) -> Optional[int]:
        return self.pair.a.run.rewound_to

    @property
    def seed(self) -> Optional[int]:
        return self.pair.a.run.seed


def connectivity_sections(runs: Sequence[Run], evaluations: Evaluations) -> List[Section]:
    """Barriers between siblings, against the rewind point.

    Raises:
        UserError: No two lotteries differ in their noise alone, or none of their lines is measured.
    """
    pairs = siblings([Child.of(run) for run in runs])
    if not pairs:
        raise UserError('no two lotteries differ in their SGD noise alone (RewindHook(noise=...))')
    known = [(pair, known_line(pair)) for pair in pairs]
    found = [Measured(pair, line) for pair, line in known if line]
    if not found:
        raise UserError(f'{len(pairs)} pairs of lotteries differ in their SGD noise alone, but the '
                        'lines between them are not measured: run tools/connectivity.py with the '
                        'same work dirs')
    return [connectivity_section(found, len(pairs) - len(found))]


def connectivity_section(found: Sequence[Measured], missing: int = 0) -> Section:
    """What is shown of measured lines.

    Args:
        found: Siblings, or any two networks.
        missing: How many further pairs are not measured. Default: 0.
    """
    points = _points(found)
    images = ' or '.join(sorted({str(each.line['images']) for each in found}))
    text = [_ABOUT, "At each point, the ends included, batch norm's statistics are estimated anew "
            f'from {images} training images, of which the training loss is too.']
    text += dict.fromkeys(filter(None, (
        unclear_text([each.line], each.pair.a.run.cfg) for each in found)))
    if missing:
        text.append(f'{missing} further pairs are not measured.')
    return Section(
        'connectivity', 'Linear mode connectivity', '\n\n'.join(text),
        [_row(point) for point in points], _COLUMNS, [*_barriers(points), *_lines(points)])


def _points(found: Sequence[Measured]) -> List[_Point]:
    """Each barrier of each line, group by group."""
    runs = {child.run.folder: child.run for each in found for child in (each.pair.a, each.pair.b)}
    points = []
    for group in group_runs(runs.values()):
        names = _names(group)
        own = [each for each in found if each.pair.a.run.folder in names]
        for metric in (*errors_of([each.line for each in own], group.runs[0].cfg), None):
            for pair, line in own:
                network = (f'{pair.a.name} to {pair.b.name}' if pair.apart
                           else names[pair.a.run.folder])
                barrier = barrier_of(line, metric)
                if barrier is not None:
                    points.append(_Point(group.label, network, error_axis(metric), pair,
                                         line['images'], barrier))
    return points


def _names(group: Group) -> Dict[Any, str]:
    """Folder of a run -> what its network is called: how much is pruned, and what is unusual."""
    found = {}
    texts = percents([cell.scope_sparsity for cell in group.cells])
    labels = family_labels([[cell] for cell in group.cells], _VARY)
    for cell, label, text in zip(group.cells, labels, texts):
        name = f'{text} % pruned' if cell.scope_sparsity else 'dense children'
        found.update({run.folder: name if label == DIRECT else f'{name}, {label}'
                      for run in cell.runs})
    return found


def _row(point: _Point) -> Dict[str, Any]:
    pair, barrier = point.pair, point.barrier
    noises = ' and '.join(str(child.run.settings['noise']) for child in (pair.a, pair.b))
    return dict(
        group=point.group, network=point.network, rewound_to=point.rewound_to,
        seed=point.seed, noises=noises, error=point.error, ends=barrier.ends,
        highest=barrier.highest, at=barrier.at, barrier=barrier.height,
        points=len(barrier.alphas), images=point.images, one=pair.a.name, other=pair.b.name)


def _barriers(points: Sequence[_Point]) -> List[Figure]:
    """Barrier against the rewind point, one figure per model and error, a line per network."""
    figures, own = [], [p for p in points if not p.pair.apart and p.rewound_to is not None]
    for (group, error), same in _by(own, 'group', 'error'):
        series = []
        for (network,), line in _by(same, 'network'):
            at = sorted(_by(line, 'rewound_to'), key=lambda each: each[0])
            spreads = [_over_seeds(members, lambda p: [p.barrier.height])[0] for _, members in at]
            series.append(_series(network, [x for (x,), _ in at], spreads))
        figures.append(Figure(
            slug('barrier', group, error), 'lines',
            f'{group}: barrier between two children with other SGD noise, against the rewind point '
            f'that both start from. {BAND_TEXT}', 'rewound to iteration',
            f'barrier of {error}'.replace('(%)', '(points)'),
            series))
    return figures


def _lines(points: Sequence[_Point]) -> List[Figure]:
    """Error along the line, one figure per network; a line per rewind point."""
    figures = []
    for (group, network, error), same in _by(
            [p for p in points if p.error != LOSS], 'group', 'network', 'error'):
        # Lines of fewer points are straight between them.
        alphas = sorted({alpha for p in same for alpha in p.barrier.alphas})
        series = []
        for (at,), members in sorted(_by(same, 'rewound_to'), key=lambda each: each[0][0] or 0):
            spreads = _over_seeds(members, lambda p: np.interp(
                alphas, p.barrier.alphas, p.barrier.errors).tolist())
            series.append(_series('error' if at is None else f'rewound to {at}', alphas, spreads))
        figures.append(Figure(
            slug('line', group, network, error), 'lines',
            f'{group}, {network}: along the straight line from one child to the other. {BAND_TEXT}',
            'share of the other child', error, series))
    return figures


def _by(points: Iterable[_Point], *keys: str) -> List[Tuple[tuple, List[_Point]]]:
    """Points with the same values of these attributes together."""
    found: Dict[tuple, List[_Point]] = {}
    for point in points:
        found.setdefault(tuple(getattr(point, key) for key in keys), []).append(point)
    return list(found.items())


def _over_seeds(points: Sequence[_Point], values: Callable[[_Point], Sequence[float]]
                ) -> List[Spread]:
    """Of each of the values the spread over seeds; of a seed the mean of its pairs."""
    seeds = [np.mean([values(point) for point in members], axis=0)
             for _, members in _by(points, 'seed')]
    return [spread([float(value) for value in one]) for one in zip(*seeds)]


def _series(label: str, x: Sequence[float], spreads: Sequence[Spread]) -> Series:
    return Series(label, x, [s.mean for s in spreads], [band(s) for s in spreads])
