"""Bars: upright or lying, whichever lets every name be read."""
from dataclasses import dataclass
from textwrap import fill
from typing import List, Mapping, Optional, Sequence, TYPE_CHECKING, Tuple

from .data import names_of, numbers
from .section import Figure
from .style import INK, PAPER, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer

# Characters of a line of names that leave the bars room, on a page and on a narrow screen.
_WRAP, _WRAP_NARROW = 40, 24


@dataclass
class Layout:
    """How the bars of a figure are laid out.

    Args:
        size: Of the figure, in inches.
        horizontal: Whether the bars lie, with their names at the left.
        rotated: Whether the names below upright bars are.
        places: How many bars stand side by side at one name.
        wrap: Characters of a line of names and labels; None where they have room.
    """
    size: Tuple[float, float]
    horizontal: bool
    rotated: bool
    places: int
    wrap: Optional[int] = None


def layout(figure: Figure, narrow: bool) -> Layout:
    """Upright bars where their names fit below them, lying ones for up to 24 long names, and
    upright ones under turned names for more; on a narrow screen no name is turned."""
    names = names_of(figure)
    at = [sum(str(name) in map(str, s.x) for s in figure.series) for name in names]
    places, longest = max(at, default=1), max(map(len, names), default=1)
    width = 3.9 if narrow else 6.0
    if len(names) * max(0.085 * longest + 0.12, 0.11 * places) < width - 0.8:
        return Layout((width, 2.8 if narrow else 3.5), False, False, places)
    if narrow or len(names) <= 24:
        bar = min(0.3, max(0.2, 0.11 * places))
        wrap = _WRAP_NARROW if narrow else _WRAP
        if longest <= wrap:
            return Layout((width, 0.8 + bar * len(names)), True, False, places)
        lines = max(fill(name, wrap).count('\n') + 1 for name in names)
        bar = max(bar, 0.15 * lines + 0.06)
        return Layout((width, 1 + bar * len(names)), True, False, places, wrap)
    return Layout((min(24, max(8.5, 2 + 0.115 * len(names))), 3.4 + 0.075 * longest), False, True,
                  places)


def plot_bars(axes: 'Axes', figure: Figure, styles: Mapping[str, Style],
              plan: Layout) -> List['BarContainer']:
    """Plot the bars of ``figure``, with whiskers where there are errors.

    Returns:
        list: A handle for the legend per series.
    """
    handles = []
    names = names_of(figure)
    thickness = 0.8 / plan.places
    bar = axes.barh if plan.horizontal else axes.bar
    # Hatches need room to be seen.
    room = plan.size[1] - 0.8 if plan.horizontal else plan.size[0] - 0.9
    hatched = room / max(1, len(names)) * thickness >= 0.16
    for i, series in enumerate(figure.series):
        style = styles[series.label]
        shift = 0 if plan.places == 1 else (i - (len(figure.series) - 1) / 2) * thickness
        at = [names.index(str(x)) + shift for x in series.x]
        face, edge, line = ((PAPER, style.colour, 1.2) if style.hollow else
                            (style.colour, PAPER, 0))
        handles.append(bar(at, numbers(series.y), thickness, hatch=style.hatch if hatched else '',
                           color=face, edgecolor=edge, linewidth=line))
        if series.error is not None:
            y, error = numbers(series.y), numbers(series.error)
            x, y, xerr, yerr = (y, at, error, None) if plan.horizontal else (at, y, None, error)
            axes.errorbar(x, y, xerr=xerr, yerr=yerr, fmt='none', ecolor=INK, elinewidth=0.9,
                          capsize=min(3, 12 * thickness))
    _name_axis(axes, figure, names, plan)
    return handles


def _name_axis(axes: 'Axes', figure: Figure, names: Sequence[str], plan: Layout) -> None:
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    ends = (-0.6, len(names) - 0.4)
    values = [y for s in figure.series for y in numbers(s.y)] + [r.y for r in figure.references]
    if plan.horizontal:
        def text(name: str) -> str:
            return fill(name, plan.wrap) if plan.wrap else name
        axes.set(ylim=ends[::-1], xlabel=text(figure.ylabel))
        axes.set_ylabel(figure.xlabel, loc='top')
        axes.set_yticks(range(len(names)), list(map(text, names)))
        axes.grid(False, axis='y')
        axes.tick_params(axis='y', length=0)
        axes.tick_params(axis='x', labeltop=plan.size[1] > 6)   # the other end is far away
    else:
        axes.set(xlim=ends, xlabel=figure.xlabel, ylabel=figure.ylabel)
        axes.set_xticks(range(len(names)), names)
        if plan.rotated:
            axes.set_xticklabels(names, rotation=90, rotation_mode='anchor', ha='right',
                                 va='center', fontsize=8.5)
        axes.grid(False, axis='x')
        axes.tick_params(axis='x', length=0)
    if min(values, default=0) < 0:
        (axes.axvline if plan.horizontal else axes.axhline)(0, color=INK, linewidth=0.8)
