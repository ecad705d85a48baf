"""Which number a class has: an object is learnt and measured as the class of its number."""
from typing import Dict, Iterable, Iterator, Mapping, Optional, Sequence, Tuple

from .findings import Finding


def numbers_of(kinds: Mapping[str, type], classes: Sequence[str],
               names: Optional[Sequence[str]]) -> Dict[str, int]:
    """Class -> number, in one data set.

    MMDetection's ``CocoDataset`` numbers the classes that it uses in the order of the annotation
    file, others in that of the config. A class that loads in its own way (Objects365) may sort.

    Args:
        kinds: The classes that the data set's class is derived from, itself first, by name.
        classes: The config's.
        names: The annotation file's; None if it names none.

    Returns:
        dict[str, int]: Empty where only the data set itself would tell.
    """
    if names is None:
        return {}
    own, coco = (getattr(kind, 'load_data_list', None) for kind in (
        next(iter(kinds.values()), None), kinds.get('CocoDataset')))
    if coco is not None:
        if own is not coco:
            return {}
        classes = [name for name in names if name in classes]
    return {name: number for number, name in enumerate(classes)}


def check_order(classes: Sequence[str], numbers: Mapping[str, int]) -> Iterator[Finding]:
    """The config's order of classes against the numbers."""
    for name, number in numbers.items():
        if number < len(classes) and classes[number] != name:
            yield Finding('order', name, f'is number {number} of the annotation file, and so goes '
                          f'by the name of {classes[number]}, number {number} of the config: name '
                          'the classes in the order of the file, and all files alike')


def check_alike(numbered: Iterable[Tuple[str, Mapping[str, int]]]) -> Iterator[Tuple[str, Finding]]:
    """The numbers of all data sets of a config against each other.

    Args:
        numbered: Name of the loader, and numbers, of each data set.

    Returns:
        iterator[tuple[str, Finding]]: The loader, and a fatal finding for each of its classes that
        has another number before.
    """
    seen: Dict[str, Tuple[str, int]] = {}
    for loader, numbers in numbered:
        for name, number in numbers.items():
            other, first = seen.setdefault(name, (loader, number))
            if first != number:
                yield loader, Finding(
                    'order', name, f'is class {number} here and class {first} in {other}: one '
                    'class would be taken for another. Let the categories of all '
                    'annotation files, and metainfo.classes, stand in one order', True)
