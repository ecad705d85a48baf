"""Error along the straight line between two networks, measured once and kept beside them."""
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional

from mmengine.runner import BaseLoop, Runner

from mmlth.core import checkpoint_file, paths
from mmlth.core import mask as masks
from mmlth.core.errors import UserError
from mmlth.core.files import write_text
from mmlth.core.interpolate import interpolate
from mmlth.core.similarity import iou
from mmlth.core.ticket import Ticket
from mmlth.engine.chain.final import numbers
from mmlth.engine.runners import bare_model, ema_copies

from ..found.children import Child, Pair
from .evaluate import read, read_config, weights_digest
from .evaluator import evaluator
from .quiet import quiet
from .statistics import TrainingBatches, estimate

_VERSION = 1
Line = Dict[str, Any]


@dataclass(frozen=True)
class LineSettings:
    """How a line is measured.

    Args:
        points: How many there are on it, the ends included. Default: 11.
        images: Training images that batch norm's statistics are estimated with at each point: 1,000
            to 10,000 are enough (Wu & Johnson 2021, "Rethinking 'Batch' in BatchNorm").
            Default: 1000.
    """
    points: int = 11
    images: int = 1000

    def __post_init__(self) -> None:
        if self.points < 3 or self.images < 1:
            raise UserError('a line needs 3 points at least, its ends and one between, and 1 image '
                            f'at least, got {self.points} points and {self.images} images')


def line_of(pair: Pair, settings: LineSettings, say: Callable[[str], None] = print) -> Line:
    """The line between two networks: read, if it was measured so, or measured now and kept.

    It is kept in ``connectivity.json`` in the folder of the round of the first. A line has
    ``weights`` (the digests of both ends), ``images`` (that the statistics were estimated with),
    and ``points``, each with ``alpha``, ``loss`` (of these images) and ``metrics`` (of the config's
    evaluator).

    Args:
        pair: Its ends.
        settings: How it is measured.
        say: Told what is being measured. Default: print.

    Raises:
        UserError: They are no networks of one model, or cannot be evaluated.
    """
    weights = [weights_digest(child.checkpoint) for child in (pair.a, pair.b)]
    known = _read(pair, weights)
    if known and len(known['points']) == settings.points and known['asked'] == settings.images:
        return known
    say(f'{pair.a.name} to {pair.b.name}: {settings.points} points are measured ...')
    line = dict(weights=weights, asked=settings.images, **measure(pair, settings))
    _keep(pair.a, line, say)
    return line


def known_line(pair: Pair) -> Optional[Line]:
    """The line that was measured between two networks, with whatever settings; None without one.

    None too where it is not known any more which weights a network had.
    """
    if not any(_file(child).is_file() for child in (pair.a, pair.b)):
        return None
    one, other = (_noted_digest(child) for child in (pair.a, pair.b))
    return _read(pair, [one, other]) if one and other else None


def _noted_digest(child: Child) -> Optional[str]:
    """Of its weights; where the file is gone, as its evaluation has noted it, if there is one."""
    try:
        return weights_digest(child.checkpoint)
    except UserError:
        kept = read(child.part.folder) if child.checkpoint == child.part.checkpoint else None
        return kept['weights'] if kept else None


def measure(pair: Pair, settings: LineSettings) -> Line:
    """Measure the line; see :func:`line_of`."""
    a, b = (checkpoint_file.load(child.checkpoint)['state_dict'] for child in (pair.a, pair.b))
    interpolate(a, b, 0.5, pair.b.name)     # before anything is built
    cfg = read_config(pair.a.part.folder)
    with quiet(), evaluator(cfg, pair.a.checkpoint) as (runner, loop, _):
        runner.call_hook('before_run')
        runner.load_or_resume()
        batches = TrainingBatches(
            runner.build_dataloader(cfg.train_dataloader, seed=runner.seed), settings.images,
            runner.seed)
        points = [_measure(runner, loop, batches, interpolate(a, b, alpha), alpha)
                  for alpha in _alphas(settings.points)]
    return dict(images=batches.images, points=points)


def _alphas(points: int) -> List[float]:
    return [k / (points - 1) for k in range(points)]


def _measure(runner: Runner, loop: BaseLoop, batches: TrainingBatches,
             state: Mapping[str, Any], alpha: float) -> Dict[str, Any]:
    """One point of the line."""
    model = bare_model(runner.model)
    model.load_state_dict(state)
    loss = estimate(model, batches)
    for copy in ema_copies(runner):     # what an EMAHook evaluates
        copy.load_state_dict(model.state_dict())
    return dict(alpha=alpha, loss=loss, metrics=numbers(loop.run()))


def remarks(pair: Pair) -> List[str]:
    """What of the two networks makes their line other than that between siblings, in sentences."""
    found = []
    if pair.apart:
        origin = {True: 'Their rewind points have the same weights.',
                  False: 'Their rewind points have other weights: they are not of one.',
                  None: 'Whether they are of one rewind point is not known, for '
                        f'{paths.REWIND} is not there.'}[_same_point(pair)]
        found.append(f'They differ not in their noise alone, but in {", ".join(pair.apart)}. '
                     f'{origin}')
    one, other = (_mask(child) for child in (pair.a, pair.b))
    if masks.digest(one) != masks.digest(other):
        alike = (f' (IoU {iou(one, other):.3f})' if one.keys() == other.keys() else '')
        found.append(f'Their masks differ{alike}: between the ends the weights that are not 0 are '
                     'those of the union of both masks.')
    return found


def _mask(child: Child) -> Dict[str, Any]:
    path = child.part.masks
    return {} if path is None else Ticket.load(path).mask


def _same_point(pair: Pair) -> Optional[bool]:
    """Whether both rewind points have the same weights; None if one is not there."""
    points = [paths.round_dir(child.run.folder, 0) / paths.REWIND for child in (pair.a, pair.b)]
    if not all(point.is_file() for point in points):
        return None
    return weights_digest(points[0]) == weights_digest(points[1])


def _file(child: Child) -> Path:
    return child.part.folder / paths.CONNECTIVITY


def _read(pair: Pair, weights: List[str]) -> Optional[Line]:
    """The line that was kept beside either end, from the first to the second."""
    for child in (pair.a, pair.b):
        for line in _lines(_file(child)):
            if line['weights'] == weights:
                return line
            if line['weights'] == weights[::-1]:
                return dict(line, weights=weights, points=[
                    dict(point, alpha=1 - point['alpha']) for point in reversed(line['points'])])
    return None


def _lines(path: Path) -> List[Line]:
    """What was kept in a file; nothing if there is none of this version."""
    try:
        kept = json.loads(path.read_text(encoding='utf-8'))
        lines = kept['lines'] if kept['version'] == _VERSION else []
        for line in lines:
            line['weights'][1], line['asked'], line['images'], line['points'][2]['loss']
        return list(lines)
    except (OSError, ValueError, LookupError, TypeError):
        return []


def _keep(child: Child, line: Line, say: Callable[[str], None]) -> None:
    """Write it beside the first end, in place of an earlier one between the same weights."""
    path = _file(child)
    others = [other for other in _lines(path) if set(other['weights']) != set(line['weights'])]
    try:
        write_text(path, json.dumps(dict(version=_VERSION, lines=[*others, line])) + '\n')
    except UserError as error:
        say(f'The line is not kept: {error}')
