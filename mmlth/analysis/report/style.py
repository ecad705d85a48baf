"""The colour, marker and line of each label: the same in every figure and every report."""
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Sequence
from zlib import crc32

from mmlth.core.figures import PALETTE

INK, MUTED, GRID, PAPER = '#1f2328', '#57606a', '#d8dee4', '#ffffff'


@dataclass(frozen=True)
class Style:
    """How one label is drawn. Colour is never alone: marker, line and hatch differ too."""
    colour: str
    marker: str
    line: Any
    hatch: str
    hollow: bool = False


_LINES = ['-', (0, (5, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (1.2, 1.2)), (0, (7, 2)), '-',
          (0, (3, 1.5, 1, 1.5, 1, 1.5))]
_HATCHES = ['', '////', '....', 'xxxx', '\\\\\\\\', '----', '++++']
_SLOTS = [Style(PALETTE[i % 7], 'os^DvPX'[i % 7], _LINES[i % 7], _HATCHES[(i + i // 7) % 7],
                hollow=i >= 7) for i in range(14)]
DENSE = Style(INK, '*', (0, (6, 2)), '')

# What a label means -> its place in _SLOTS. The first that matches decides; what none matches
# gets a place from its own letters, so that it keeps it from one report to the next.
_KNOWN = [
    (r'control: dense', 1), (r'fresh', 2), (r'random', 3), (r'shuffled', 4), (r'chance', 6),
    (r'transfer|imagenet|^ticket of', 5), (r'direct', 0),
    (r'^small', 4), (r'^medium', 1), (r'^large', 2),
    (r'^(b?box|detection)', 0), (r'^(segm|mask|instance)', 1), (r'^keypoint', 2),
    (r'global', 0), (r'layer-?wise', 1),
    (r'^(base|backbone)', 0), (r'^(top|neck)', 1), (r'^rpn', 2), (r'final', 0),
    (r'before|previous', 1)]


def assign(figures: Iterable[Sequence[str]]) -> Dict[str, Style]:
    """Give every label its style.

    Two labels of one figure never share one, as long as there are no more than 14.

    Args:
        figures: The labels of each figure.

    Returns:
        dict: Label -> :class:`Style`.
    """
    figures = [list(dict.fromkeys(labels)) for labels in figures]
    neighbours: Dict[str, set] = {}
    for labels in figures:
        for label in labels:
            neighbours.setdefault(label, set()).update(set(labels) - {label})
    styles: Dict[str, Style] = {}
    # In an order that does not depend on the figures', known labels first.
    for label in sorted(neighbours, key=lambda label: (_known(label) is None, label)):
        if re.match(r'dense\b', label, re.I):
            styles[label] = DENSE
            continue
        start = _known(label)
        start = crc32(label.encode()) % 7 if start is None else start
        styles[label] = _free(start, [styles[n] for n in neighbours[label] if n in styles])
    return styles


def _known(label: str):
    return next((slot for pattern, slot in _KNOWN if re.search(pattern, label, re.I)), None)


def _free(start: int, taken: List[Style]) -> Style:
    """The first style from ``start`` on whose colour is free; then the first that is free."""
    around = [(start + i) % 7 for i in range(7)]
    order = [_SLOTS[i] for i in around] + [_SLOTS[i + 7] for i in around]
    colours = {style.colour for style in taken}
    return next((style for style in order if style.colour not in colours),
                next((style for style in order if style not in taken), order[0]))
