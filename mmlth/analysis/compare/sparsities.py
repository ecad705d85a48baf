"""Sparsities of one size, and how they are written: what is left decides, not what is gone."""
from statistics import fmean
from typing import Callable, List, Sequence, TypeVar

T = TypeVar('T')
_SAME, _OF_DENSITY = 0.5, 0.1       # points; of the weights that are left
_DIGITS = 6


def tolerance(sparsity: float) -> float:
    """Within how many points another sparsity is the same, in percent both: 0.5, near 100 less.

    A tenth of what is left: 99.0 and 99.4 % are not the same, 80.0 and 80.4 % are.
    """
    return min(_SAME, _OF_DENSITY * max(0.0, 100 - sparsity))


def same(one: float, other: float) -> bool:
    """Whether two sparsities, in percent, are of one size."""
    return abs(one - other) <= tolerance(max(one, other))


def by_sparsity(items: Sequence[T], of: Callable[[T], float]) -> List[List[T]]:
    """Items of one sparsity together, the lowest first; each is the same as the first of its list.

    Args:
        items: In any order; those of one sparsity keep it.
        of: Sparsity of an item in percent.
    """
    found: List[List[int]] = []
    for index in sorted(range(len(items)), key=lambda i: of(items[i])):
        if found and same(of(items[found[-1][0]]), of(items[index])):
            found[-1].append(index)
        else:
            found.append([index])
    return [[items[index] for index in sorted(indices)] for indices in found]


def percents(values: Sequence[float]) -> List[str]:
    """Sparsities as text, without the per cent sign: one text for all that are of one size.

    With as many digits as tell the others apart, also from 0 and 100.
    """
    sizes = by_sparsity(range(len(values)), lambda index: values[index])
    means = [fmean(values[index] for index in own) for own in sizes]
    ends = [(str(end), mean) for end in (0, 100) for mean in means if not same(mean, end)]
    texts: List[str] = []
    for digits in range(_DIGITS + 1):
        texts = [_text(mean, digits) for mean in means]
        told = [(text, mean) for text, mean in zip(texts, means)]
        if len(set(texts)) == len(texts) and not set(told) & set(ends):
            break
    return [text for _, text in sorted(
        (index, text) for own, text in zip(sizes, texts) for index in own)]


def percent(value: float) -> str:
    """One of :func:`percents`."""
    return percents([value])[0]


def _text(value: float, digits: int) -> str:
    text = f'{value:.{digits}f}'
    return text.rstrip('0').rstrip('.') if digits else text
