"""A figure as SVG and PNG, wide for a page and narrow for a telephone."""
from dataclasses import dataclass
from io import BytesIO
from textwrap import fill
from typing import (TYPE_CHECKING, Any, ContextManager, Dict, List, Mapping, Sequence, Tuple,
                    Union)

from .data import names_of, numbers
from .plot_bars import layout, plot_bars
from .section import Figure, Series
from .style import GRID, INK, MUTED, PAPER, Style

if TYPE_CHECKING:       # matplotlib takes its time: it is imported where a figure is plotted
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure as Canvas
    from matplotlib.typing import RcKeyType

_RC: Dict['RcKeyType', Any] = {
    'font.family': 'sans-serif', 'font.sans-serif': ['DejaVu Sans', 'Arial'],
    'svg.fonttype': 'none', 'text.parse_math': False, 'text.color': INK,
    'axes.labelcolor': INK, 'axes.edgecolor': MUTED, 'axes.linewidth': 0.8,
    'axes.spines.top': False, 'axes.grid': True, 'axes.axisbelow': True, 'grid.color': GRID,
    'grid.linewidth': 0.6, 'xtick.color': MUTED, 'ytick.color': MUTED, 'xtick.labelcolor': INK,
    'ytick.labelcolor': INK, 'legend.frameon': False, 'hatch.linewidth': 0.6,
    'lines.linewidth': 1.8}


@dataclass
class Plot:
    """One figure, plotted.

    Args:
        wide: SVG for a page.
        narrow: SVG for a screen of 400 px.
        png: Of the wide one, on white.
        broad: Whether the wide one needs more room than a column of text.
    """
    wide: str
    narrow: str
    png: bytes
    broad: bool


def plot(figure: Figure, styles: Mapping[str, Style]) -> Plot:
    """Plot ``figure``.

    The same figure gives the same bytes.

    Args:
        figure: What to plot.
        styles: From :func:`mmlth.report.style.assign`.

    Raises:
        ValueError: The kind of figure is unknown, or bars have a right axis.
    """
    if figure.kind not in ('lines', 'bars') or figure.kind == 'bars' and figure.right:
        raise ValueError(f'Figure {figure.key}: {figure.kind!r} with {len(figure.right)} series '
                         "on the right axis; kinds are 'lines' and 'bars', and bars have one axis")
    with _settings(figure, narrow=False):
        canvas = _canvas(figure, styles, narrow=False)
        wide, png = _svg(canvas), _png(canvas)
    with _settings(figure, narrow=True):
        narrow = _svg(_canvas(figure, styles, narrow=True))
    return Plot(wide, narrow, png, broad=canvas.get_figwidth() > 8)


def _settings(figure: Figure, narrow: bool) -> ContextManager:
    from matplotlib import rc_context
    return rc_context({**_RC, 'svg.hashsalt': f'{figure.key}{"-narrow" * narrow}',
                       'font.size': 9 if narrow else 10})


def _canvas(figure: Figure, styles: Mapping[str, Style], narrow: bool) -> 'Canvas':
    # Not pyplot: that would switch a notebook's backend and keep the figure alive.
    from matplotlib.figure import Figure as Canvas
    plan = layout(figure, narrow) if figure.kind == 'bars' else None
    width, height = plan.size if plan else ((3.9, 2.7) if narrow else (6.0, 3.5))
    labels, columns, rows = _legend(figure, width)
    canvas = Canvas(figsize=(width, height + rows * 0.19), layout='constrained')
    axes = canvas.add_subplot()
    names = names_of(figure)
    handles: List[Union['Artist', 'BarContainer']] = []
    if plan:
        handles += plot_bars(axes, figure, styles, plan)
    else:
        aside = _shifts(figure.series)
        handles += [_plot_line(axes, s, styles[s.label], names, shift)
                    for s, shift in zip(figure.series, aside)]
        _axis(axes, figure, names, width)
        if any(aside):
            axes.margins(x=0.12)
        if figure.right:
            handles += _right_axis(axes, figure, styles, names)
    handles += _plot_references(axes, figure, styles, plan is not None and plan.horizontal)
    # Above the axes, where it hides nothing. (Its hints know of no containers, its manual does.)
    canvas.legend(handles, labels, loc='outside upper left',    # type: ignore[call-overload]
                  ncols=columns, handlelength=1.5 if plan else 2.8, columnspacing=1.4,
                  borderaxespad=0.2)
    return canvas


def _legend(figure: Figure, width: float) -> Tuple[List[str], int, int]:
    """What it says in lines that fit, in as many columns as fit, and the lines this makes."""
    from matplotlib import rcParams
    character, handle = 0.58 * rcParams['font.size'], 46
    labels = [series.label for series in figure.series]
    labels += [f'{series.label} (right axis)' for series in figure.right]
    labels += [reference.label for reference in figure.references]
    longest = int((72 * width - handle) / character)
    labels = [fill(label, longest) if len(label) > longest else label for label in labels]
    lines = [label.split('\n') for label in labels]
    column = character * max((len(line) for own in lines for line in own), default=0) + handle
    columns = max(1, min(len(labels), int(72 * width / column)))
    rows = -(-len(labels) // columns)
    return labels, columns, rows + sum(len(own) - 1 for own in lines)


_APART = 7      # points of the page between marks at one x


def _shifts(series: Sequence[Series]) -> List[float]:
    """Points of the page by which series of one mark stand aside from others at the same x."""
    at: Dict[Any, List[int]] = {}
    for i, one in enumerate(series):
        if len(one.x) == 1:
            at.setdefault(one.x[0], []).append(i)
    found = [0.0] * len(series)
    for beside in at.values():
        for place, i in enumerate(beside):
            found[i] = _APART * (place - (len(beside) - 1) / 2)
    return found


def _plot_line(axes: 'Axes', series: Series, style: Style, names: Sequence[str],
               shift: float = 0.0) -> 'Artist':
    from matplotlib.transforms import ScaledTranslation
    where = axes.transData + ScaledTranslation(shift / 72, 0, axes.figure.dpi_scale_trans)
    x = [names.index(str(v)) if names else v for v in series.x]
    y = numbers(series.y)
    line, = axes.plot(x, y, color=style.colour, linestyle=style.line, marker=style.marker,
                      markersize=5.5, markerfacecolor=PAPER if style.hollow else style.colour)
    line.set_transform(where)       # afterwards: the axes would not be as wide as what is moved
    if series.error is not None:
        error = numbers(series.error)
        axes.fill_between(x, [a - e for a, e in zip(y, error)], [a + e for a, e in zip(y, error)],
                          color=style.colour, alpha=0.16, linewidth=0)
        if len(x) == 1:     # a band of no width would not be seen
            axes.errorbar(x, y, error, color=style.colour, elinewidth=1.2, capsize=3,
                          transform=where)
    return line


def _axis(axes: 'Axes', figure: Figure, names: Sequence[str], width: float) -> None:
    axes.set(xlabel=figure.xlabel, ylabel=figure.ylabel)
    axes.spines['right'].set_visible(bool(figure.right))
    axes.margins(x=0.04, y=0.08)
    if names:
        axes.set_xticks(range(len(names)), names)
    else:
        _number_ticks(axes, sorted({x for s in (*figure.series, *figure.right) for x in s.x
                                    if not isinstance(x, str)}), width)


def _number_ticks(axes: 'Axes', values: Sequence[float], width: float) -> None:
    """At the measured values, if they are few and their labels do not touch."""
    from matplotlib import rcParams
    if all(float(x).is_integer() for x in values):
        axes.locator_params(axis='x', integer=True)
    labels = [f'{x:.3g}' if abs(x) < 100 else f'{x:.0f}' for x in values]
    span = values[-1] - values[0] if values else 0
    need = 0.65 * rcParams['font.size'] * max(map(len, labels), default=0) + 5
    room = 72 * (width - 0.9)
    if len(values) == 1 or span and min(
            b - a for a, b in zip(values, values[1:])) / span * room > need:
        axes.set_xticks(values, labels)


def _right_axis(axes: 'Axes', figure: Figure, styles: Mapping[str, Style],
                names: Sequence[str]) -> List['Artist']:
    twin = axes.twinx()
    twin.set_ylabel(figure.right_label, labelpad=8)
    twin.grid(False)
    twin.margins(x=0.04, y=0.08)
    return [_plot_line(twin, s, styles[s.label], names) for s in figure.right]


def _plot_references(axes: 'Axes', figure: Figure, styles: Mapping[str, Style],
                     horizontal: bool) -> List['Artist']:
    line, span = (axes.axvline, axes.axvspan) if horizontal else (axes.axhline, axes.axhspan)
    handles: List['Artist'] = []
    for reference in figure.references:
        style = styles[reference.label]
        handles.append(line(reference.y, color=style.colour, linestyle=style.line, linewidth=1.3,
                            zorder=1.5))
        if reference.error:
            span(reference.y - reference.error, reference.y + reference.error, zorder=0.9,
                 color=style.colour, alpha=0.12, linewidth=0)
    return handles


def _svg(canvas: 'Canvas') -> str:
    file = BytesIO()
    canvas.savefig(file, format='svg', transparent=True,
                   metadata={'Date': None, 'Creator': None, 'Format': None, 'Type': None})
    return file.getvalue().decode('utf-8')


def _png(canvas: 'Canvas') -> bytes:
    file = BytesIO()
    canvas.savefig(file, format='png', dpi=150, facecolor=PAPER, metadata={'Software': None})
    return file.getvalue()
