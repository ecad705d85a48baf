"""The colour, marker and line of each label: the same in every figure and every report."""
import re
from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, List, Optional, Set
from zlib import crc32

from .section import Figure

# Okabe & Ito's colours, told apart by colour-blind readers too.
PALETTE = ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#999999']
INK, MUTED, GRID, PAPER = '#1f2328', '#57606a', '#d8dee4', '#ffffff'


@dataclass(frozen=True)
class Style:
    """How one label is plotted. Colour is never alone: marker, line and hatch differ too."""
    colour: str
    marker: str
    line: Any
    hatch: str
    hollow: bool = False


_LINES = ['-', (0, (5, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (1.2, 1.2)), (0, (7, 2)), '-',
          (0, (3, 1.5, 1, 1.5, 1, 1.5))]
_HATCHES = ['', '///', '\\\\\\', 'xxx', '---', '|||', '+++']
_SLOTS = [Style(PALETTE[i % 7], 'os^DvPX'[i % 7], _LINES[i % 7], _HATCHES[(i + i // 7) % 7],
                hollow=i >= 7) for i in range(14)]
# Before the label of what the level of chance is of.
_CHANCE = 'chance, '
# Lines to compare with are black or grey; the first is the dense model's.
_REFERENCES = [Style(colour, '', line, '') for colour, line in (
    (INK, (0, (6, 2))), (MUTED, (0, (1, 1.5))), (INK, (0, (6, 2, 1, 2))),
    (MUTED, (0, (10, 2, 2, 2))), (INK, (0, (1, 3))), (MUTED, (0, (3, 3))))]

# What a label means -> its place in _SLOTS. The first that matches decides; what none matches
# gets a place from its own letters, so that it keeps it from one report to the next.
_KNOWN = [
    (r'control: dense', 6), (r'fresh', 2), (r'random', 3), (r'shuffled', 4), (r'chance', 6),
    (r'transfer|imagenet|classifier', 5), (r'^ticket of', 3), (r'early-bird', 4), (r'direct', 0),
    (r'^[1-4]0 ?%', 2), (r'^[67]0 ?%', 1), (r'^50 ?%', 4), (r'^80 ?%', 0), (r'^90 ?%', 5),
    (r'^9\d', 3),
    (r'^small', 4), (r'^medium', 1), (r'^large', 2),
    (r'^(b?box|detection)', 0), (r'^(segm|mask|instance)', 1), (r'^keypoint', 2),
    (r'global', 0), (r'layer-?wise', 1),
    (r'^(base|backbone)', 0), (r'^(top|neck)', 1), (r'^rpn', 2), (r'final', 0),
    (r'before|previous', 1)]


def assign(figures: Iterable[Figure]) -> Dict[str, Style]:
    """Give every label its style.

    Two labels of one figure never share one, as long as it has no more than 14 series and 6
    references. ``'chance, X'`` is plotted as ``'X'`` is, but dotted and hollow.
    """
    neighbours: Dict[str, Set[str]] = {}
    compared: Set[str] = set()
    for figure in figures:
        series = {s.label for s in (*figure.series, *figure.right)}
        compared |= {r.label for r in figure.references} - series
        labels = series | {r.label for r in figure.references}
        for label in labels:
            neighbours.setdefault(label, set()).update(labels - {label})
    styles: Dict[str, Style] = {}
    beside = {label for label in neighbours if label.removeprefix(_CHANCE) in neighbours[label]}
    # In an order that does not depend on the figures', known labels first.
    for label in sorted(neighbours.keys() - beside,
                        key=lambda label: (_known(label) is None, label)):
        taken = [styles[n] for n in neighbours[label] if n in styles]
        if label in compared or label.startswith('dense'):
            first = 0 if label.startswith('dense') else 1
            styles[label] = _free(_REFERENCES[first:] + _REFERENCES[:first], taken)
            continue
        start = _known(label)
        start = crc32(label.encode()) % 7 if start is None else start
        # What cannot have its own place leaves the others theirs.
        wanted = {_known(n) for n in neighbours[label] if n not in styles}
        around = [start, *sorted(((start + i) % 7 for i in range(1, 7)), key=wanted.__contains__)]
        styles[label] = _other_colour(
            [_SLOTS[i] for i in around] + [_SLOTS[i + 7] for i in around], taken)
    for label in beside:
        styles[label] = replace(styles[label.removeprefix(_CHANCE)], line=(0, (1, 1.5)),
                                hollow=True)
    return styles


def _known(label: str) -> Optional[int]:
    return next((slot for pattern, slot in _KNOWN if re.search(pattern, label, re.I)), None)


def _free(order: List[Style], taken: List[Style]) -> Style:
    return next((style for style in order if style not in taken), order[0])


def _other_colour(order: List[Style], taken: List[Style]) -> Style:
    """The first whose colour is free; where none is, the first that is free."""
    colours = {style.colour for style in taken}
    return next((style for style in order if style.colour not in colours), _free(order, taken))
