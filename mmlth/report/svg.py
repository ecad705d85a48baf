"""A figure's SVG as part of a page: its colours follow the page, its ids are its own."""
import re
from html import escape
from typing import Match

from .style import GRID, INK, MUTED, PALETTE, PAPER

# The colours that the page may change -> their CSS variables.
VARIABLES = {colour.lower(): f'--fig-{name}' for colour, name in zip(
    [INK, MUTED, GRID, PAPER, *PALETTE],
    ['ink', 'muted', 'grid', 'paper', *(f'c{i}' for i in range(len(PALETTE)))])}


def inline(svg: str, prefix: str, title: str, description: str) -> str:
    """Make ``svg`` a part of an HTML page.

    Args:
        svg: From matplotlib.
        prefix: Goes before every id, so that two figures of a page share none.
        title: What a screen reader says.
        description: What it says when asked for more.
    """
    svg = svg[svg.index('<svg'):]
    svg = re.sub(r'\s+', ' ', svg).replace('> <', '><')
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(href="#|url\(#)', rf'\g<1>{prefix}-', svg)
    svg = re.sub(r'#[0-9a-f]{6}\b', _variable, svg)
    # In points; the page says how wide it is.
    svg = re.sub(r'(<svg[^>]*?) width="([\d.]+)pt"', _size, svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[\d.]+pt"', r'\1', svg, count=1)
    names = (f'<title id="{prefix}-title">{escape(title)}</title>'
             f'<desc id="{prefix}-desc">{escape(description)}</desc>')
    return re.sub(r'<svg([^>]*)>', lambda m: (
        f'<svg{m[1]} role="img" aria-labelledby="{prefix}-title {prefix}-desc">{names}'),
        svg, count=1)


def _variable(match: Match) -> str:
    name = VARIABLES.get(match[0])
    return f'var({name}, {match[0]})' if name else match[0]


def _size(match: Match) -> str:
    return f'{match[1]} style="--width: {float(match[2]) * 4 / 3:.0f}px"'
