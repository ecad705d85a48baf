"""Which tickets are compared, and what two masks have in common."""
import itertools
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

from torch import Tensor

from mmlth.core import Ticket
from mmlth.core.parts import groups_of
from mmlth.core.similarity import chance_iou, iou

from ..found.run import Run
from .families import family_labels, main_cells, varied
from .groups import Cell, Group
from .sparsities import percent, percents, same
from .wording import numbered

ALL = 'all shared layers'
_KEPT = 8       # masks in memory: many are compared several times
Mask = Dict[str, Tensor]


@dataclass
class MaskComparison:
    """Tickets that are compared pair by pair.

    Args:
        kind: ``'seeds'``, ``'rounds'`` or ``'tasks'``.
        group: Model and data.
        label: Which tickets.
        pairs: Of runs.
        parts: Group of layers -> the numbers of :func:`compare_masks` of each pair.
        layers: The same per layer.
        weights: Part or layer -> how many weights it has.
        apart: Layers that only one of the two has, or in another shape.
    """
    kind: str
    group: str
    label: str
    pairs: List[Tuple[Run, Run]]
    parts: Dict[str, List[tuple]] = field(default_factory=dict)
    layers: Dict[str, List[tuple]] = field(default_factory=dict)
    weights: Dict[str, int] = field(default_factory=dict)
    apart: List[str] = field(default_factory=list)


def find_comparisons(groups: Sequence[Group]) -> List[MaskComparison]:
    """Those of tickets that differ in their seed, their rounds or their task, measured."""
    load = lru_cache(_KEPT)(lambda path: Ticket.load(path).mask)
    return [comparison for comparison in _comparisons(groups) if _measure(comparison, load)]


def compare_masks(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Dict[str, tuple]:
    """Compare each group of layers, and all.

    Args:
        a, b: Masks with the same names and shapes.

    Returns:
        dict: Group -> IoU, its chance level, that of random masks with the densities of each
        layer, density of ``a``, density of ``b``.
    """
    groups: Dict[str, List[str]] = {ALL: list(a)}
    for name in a:
        groups.setdefault(groups_of(name)[0], []).append(name)
    return {group: _numbers({n: a[n] for n in names}, {n: b[n] for n in names})
            for group, names in groups.items()}


def shared_layers(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> List[str]:
    """Layers of the same name and shape, in the order of ``a``."""
    return [name for name in a if name in b and a[name].shape == b[name].shape]


def _numbers(a: Mask, b: Mask) -> Tuple[float, ...]:
    return iou(a, b), chance_iou(a, b), _chance_by_layer(a, b), _density(a), _density(b)


def _chance_by_layer(a: Mask, b: Mask) -> float:
    """What the IoU would be, had each layer's survivors been drawn at random in it."""
    both = either = 0.0
    for name in a:
        p, q, size = _density({name: a[name]}), _density({name: b[name]}), a[name].numel()
        both, either = both + p * q * size, either + (p + q - p * q) * size
    return both / either if either else 1.0


def _density(mask: Mask) -> float:
    size = sum(keep.numel() for keep in mask.values())
    return sum(int(keep.sum()) for keep in mask.values()) / size if size else 0.0


def _comparisons(groups: Sequence[Group]) -> Iterable[MaskComparison]:
    for group in groups:
        cells = main_cells(group)
        names = numbered(f'{text} % sparsity' for text in percents(
            [cell.scope_sparsity for cell in cells]))
        for cell, name in zip(cells, names):
            pairs = list(itertools.combinations(cell.runs, 2))
            yield MaskComparison('seeds', group.label, name, pairs)
        yield from _of_rounds(group)
    for one, other in itertools.combinations(groups, 2):
        if (one.model, one.data) != (other.model, other.data):
            yield from _of_tasks(one, other)
    for group in groups:
        yield from _of_sources(group)


def _of_rounds(group: Group) -> Iterable[MaskComparison]:
    """One-shot tickets against those that took more rounds to the same sparsity."""
    for family in varied(group, 'rounds'):
        family = sorted(family, key=lambda cell: cell.settings['rounds'])
        for cell in family[1:]:
            first, last = family[0].settings['rounds'], cell.settings['rounds']
            label = family_labels([family[:1]], ['rounds'])[0]
            yield MaskComparison(
                'rounds', group.label, f'{label}, {percent(cell.scope_sparsity)} % sparsity: '
                f'{first} and {last} rounds', _by_seed(family[0], cell))


def _of_tasks(one: Group, other: Group) -> Iterable[MaskComparison]:
    """Tickets of two models or data sets, of one method and the same scope sparsity."""
    for a, b in itertools.product(main_cells(one), main_cells(other)):
        if a.method == b.method and same(a.scope_sparsity, b.scope_sparsity):
            yield MaskComparison('tasks', f'{one.label} and {other.label}',
                             f'{percent(a.scope_sparsity)} % sparsity', _by_seed(a, b))


def _of_sources(group: Group) -> Iterable[MaskComparison]:
    """Tickets drawn of the task itself against those that were transferred to the same model."""
    drawn = main_cells(group)
    for cell in group.cells:
        if cell.settings.get('transfer') and not cell.settings.get('control') and drawn:
            own = min(drawn, key=lambda c: abs(c.scope_sparsity - cell.scope_sparsity))
            yield MaskComparison(
                'tasks', group.label, f'{own.method} ({percent(own.scope_sparsity)} %) and '
                f'{cell.method} ({percent(cell.scope_sparsity)} %)', _by_seed(own, cell))


def _by_seed(a: Cell, b: Cell) -> List[Tuple[Run, Run]]:
    """Runs of the same seed; if there are none, the first of each."""
    other = {run.seed: run for run in b.runs}
    pairs = [(run, other[run.seed]) for run in a.runs if run.seed in other]
    return pairs or [(a.runs[0], b.runs[0])]


def _measure(comparison: MaskComparison, load: Callable[[Path], Mask]) -> bool:
    """Fill in what the pairs have in common; False if that is nothing."""
    for runs in comparison.pairs:
        files = [run.ticket.masks for run in runs if run.ticket.masks is not None]
        if len(files) < len(runs):
            continue
        a, b = map(load, files)
        names = shared_layers(a, b)
        if not names:
            continue
        comparison.apart = list(dict.fromkeys(
            [*comparison.apart, *(n for n in {**a, **b} if n not in names)]))
        a, b = {n: a[n] for n in names}, {n: b[n] for n in names}
        for part, numbers in compare_masks(a, b).items():
            comparison.parts.setdefault(part, []).append(numbers)
        for name in names:
            comparison.layers.setdefault(name, []).append(
                _numbers({name: a[name]}, {name: b[name]}))
            comparison.weights[name] = a[name].numel()
        for part in comparison.parts:
            comparison.weights[part] = sum(
                a[n].numel() for n in names if part == ALL or groups_of(n)[0] == part)
    return bool(comparison.parts)
