"""Differences between tickets: the values of one setting, and one method less another."""
import itertools
from dataclasses import dataclass, field
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from mmlth.metrics import Metric

from .amounts import difference_text, interval_text, mean_text
from .correction import LEVEL, holm
from .groups import Cell
from .sparsities import percents, same
from .statistics import BySeed, Comparison, Spread, compare, spread


@dataclass
class Choice:
    """What each value of one setting reaches, all else equal.

    Args:
        words: Model, task and method.
        values: Value of the setting -> seed -> metric.
        dense: The dense model; None where it was not measured.
    """
    words: str
    values: Dict[str, BySeed]
    dense: Optional[Spread]


def extremes_text(choices: Sequence[Choice], title: str) -> str:
    """Where the mean is highest and lowest, and what lies between them: two sentences each.

    Every pair of values was looked at to find the two, so p is corrected for all pairs.

    Args:
        choices: Those with fewer than two measured values say nothing.
        title: What the setting is called.
    """
    found = [_pairs(choice) for choice in choices]
    words = _Words(pair for pairs in found for pair in pairs.values())
    sentences = [_extremes(choice, pairs, words, title)
                 for choice, pairs in zip(choices, found) if pairs]
    return ' '.join([*sentences, *words.note('pair', 'pairs')])


Pair = Tuple[str, Cell, Cell]   # at which place in words, a ticket, what it is held against


@dataclass
class Differences:
    """Tickets of several methods less others.

    Args:
        of: What they are compared at some places of. Default: ``'sparsity'``.
        found: What is compared, and less what -> at which places, and the differences.
            Default: filled by ``add``.
    """
    of: str = 'sparsity'
    found: Dict[str, List[Tuple[str, Comparison]]] = field(default_factory=dict)

    def add(self, name: str, usual: str, pairs: Iterable[Pair], metric: Metric) -> None:
        """Compare the tickets of some pairs, as far as they were measured.

        Args:
            name: Model, task and method.
            usual: What the others of the pairs are called.
            pairs: :func:`as_sparse`, :func:`no_sparser` or others.
            metric: What is compared.
        """
        for at, cell, other in pairs:
            found = compare(other.values(metric), cell.values(metric))
            if found is not None:
                self.found.setdefault(f'{name} less {usual}', []).append((at, found))

    def text(self) -> str:
        """A sentence per model, task and method; p is corrected for all of them."""
        words = _Words(found for of in self.found.values() for _, found in of)
        sentences = [f'{name}: ' + ', '.join(
            f'{words.of(found)} at {at}' for at, found in of) + f' {self.of}.'
            for name, of in self.found.items()]
        return ' '.join([*sentences, *words.note('difference', 'differences')])


def as_sparse(cells: Sequence[Cell], usual: Sequence[Cell]) -> Iterator[Pair]:
    """Each cell with the usual one of its scope sparsity, but none with itself."""
    cells = sorted(cells, key=lambda cell: cell.scope_sparsity)
    for cell, text in zip(cells, percents([cell.scope_sparsity for cell in cells])):
        other = min(usual, default=cell,
                    key=lambda other: abs(other.scope_sparsity - cell.scope_sparsity))
        if other is not cell and same(other.scope_sparsity, cell.scope_sparsity):
            yield f'{text} %', cell, other


def no_sparser(cells: Sequence[Cell], usual: Sequence[Cell]) -> Iterator[Pair]:
    """Each cell with the usual one that prunes as much of the network, else the next above it.

    So what the usual one does better it does with no weight more. Cells that prune more than any
    usual one are left out.
    """
    for cell in sorted(cells, key=lambda cell: cell.network_sparsity):
        above = [other for other in usual
                 if other.network_sparsity > cell.network_sparsity
                 or same(other.network_sparsity, cell.network_sparsity)]
        if above:
            other = min(above, key=lambda other: other.network_sparsity)
            own, least = percents([cell.network_sparsity, other.network_sparsity])
            yield f'{own} % against {least} % network', cell, other


class _Words:
    """Differences of one family in words, each with its corrected p."""

    def __init__(self, family: Iterable[Comparison]):
        self.family = list(family)
        tested = [found.p for found in self.family if found.p is not None]
        self.count, self.corrected = len(tested), dict(zip(tested, holm(tested)))

    def of(self, found: Comparison) -> str:
        """E.g. ``'+1.20 (95 % interval +0.20 to +2.20, p = 0.03)'``."""
        text = difference_text(found)
        if found.p is None:
            return text
        unclear = '' if self.differs(found) else ', no difference shown'
        return (f'{text} (95 % interval {interval_text(found)}, p = '
                f'{self.corrected[found.p]:.2g}{unclear})')

    def differs(self, found: Comparison) -> bool:
        """Whether it is shown that there is a difference."""
        return found.p is not None and self.corrected[found.p] < LEVEL

    def note(self, one: str, many: str) -> Sequence[str]:
        """What p is corrected for; that there is none; nothing where nothing is compared."""
        if not self.corrected:
            return ['No test: one seed, or no spread.'] if self.family else []
        return [f'p is corrected by Holm for {self.count} {one if self.count == 1 else many}.']


def _pairs(choice: Choice) -> Dict[tuple, Comparison]:
    """Two values of the setting, the one with the higher mean first -> what it has more."""
    means = {value: spread(seeds.values()).mean for value, seeds in choice.values.items() if seeds}
    order = sorted(means, key=means.__getitem__, reverse=True)
    found = {(high, low): compare(choice.values[low], choice.values[high])
             for high, low in itertools.combinations(order, 2)}
    return {pair: difference for pair, difference in found.items() if difference is not None}


def _extremes(choice: Choice, pairs: Dict[tuple, Comparison], words: _Words, title: str) -> str:
    """The first pair begins with the highest, the last ends with the lowest."""
    (highest, _), (_, lowest) = next(iter(pairs)), list(pairs)[-1]
    found = pairs[highest, lowest]
    return (f'{choice.words}: highest with {title} {highest} ({mean_text(found.ticket)}), lowest '
            f'with {lowest} ({mean_text(found.dense)})'
            + ('.' if choice.dense is None else f', dense {mean_text(choice.dense)}.')
            + f' Between the two: {words.of(found)}.'
            + _behind({low: found for (high, low), found in pairs.items()
                       if high == highest and low != lowest}, words))


def _behind(between: Dict[str, Comparison], words: _Words) -> str:
    """Which of the values in between are shown to be below the highest, and which are not."""
    below = [value for value, found in between.items() if words.differs(found)]
    open_ = [value for value, found in between.items() if value not in below]
    if not words.corrected or not between:
        return ''
    return ''.join(f' {told} to be below the highest: {", ".join(values)}.' for told, values in (
        ('Shown', below), ('Not shown', open_)) if values)
