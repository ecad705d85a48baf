"""A figure as SVG and PNG, wide for a page and narrow for a telephone."""
from dataclasses import dataclass
from io import BytesIO
from typing import Any, List, Mapping, Sequence

from mmlth.analysis.section import Figure, Series

from .bars import draw_bars, layout
from .data import names_of, numbers
from .style import GRID, INK, MUTED, PAPER, Style

_RC = {
    'font.family': 'sans-serif', 'svg.fonttype': 'none', 'text.color': INK,
    'axes.labelcolor': INK, 'axes.edgecolor': MUTED, 'axes.linewidth': 0.8,
    'axes.spines.top': False, 'axes.grid': True, 'axes.axisbelow': True, 'grid.color': GRID,
    'grid.linewidth': 0.6, 'xtick.color': MUTED, 'ytick.color': MUTED, 'xtick.labelcolor': INK,
    'ytick.labelcolor': INK, 'legend.frameon': False, 'hatch.linewidth': 0.6,
    'hatch.color': PAPER, 'lines.linewidth': 1.8, 'axes.unicode_minus': True}


@dataclass
class Drawing:
    """One figure, drawn.

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


def draw(figure: Figure, styles: Mapping[str, Style]) -> Drawing:
    """Draw ``figure``.

    The same figure gives the same bytes.

    Args:
        figure: What to draw.
        styles: From :func:`mmlth.analysis.report.style.assign`.

    Raises:
        ValueError: The kind of figure is unknown, or bars have a right axis.
    """
    if figure.kind not in ('lines', 'bars') or figure.kind == 'bars' and figure.right:
        raise ValueError(f'Figure {figure.key}: {figure.kind!r} with {len(figure.right)} series '
                         "on the right axis; kinds are 'lines' and 'bars', and bars have one axis")
    from matplotlib import rc_context
    with rc_context({**_RC, 'svg.hashsalt': figure.key, 'font.size': 10}):
        wide = _plot(figure, styles, narrow=False)
        broad = wide.get_figwidth() > 8
        svg, png = _svg(wide), _png(wide)
    with rc_context({**_RC, 'svg.hashsalt': figure.key + '-narrow', 'font.size': 9}):
        narrow = _svg(_plot(figure, styles, narrow=True))
    return Drawing(svg, narrow, png, broad)


def _plot(figure: Figure, styles: Mapping[str, Style], narrow: bool):
    # Not pyplot: that would switch a notebook's backend and keep the figure alive.
    from matplotlib.figure import Figure as Canvas
    plan = layout(figure, narrow) if figure.kind == 'bars' else None
    size = plan.size if plan else ((3.9, 3.3) if narrow else (6.6, 4.0))
    canvas = Canvas(figsize=size, layout='constrained')
    axes = canvas.add_subplot()
    if plan:
        draw_bars(axes, figure, styles, plan)
    else:
        _draw_lines(axes, figure, styles)
    _draw_references(axes, figure, styles, plan is not None and plan.horizontal)
    handles = axes.get_legend_handles_labels()
    if figure.right:
        twin = _right_axis(axes, figure, styles)
        handles = [a + b for a, b in zip(handles, twin.get_legend_handles_labels())]
    _legend(canvas, *handles)
    return canvas


def _draw_lines(axes, figure: Figure, styles) -> None:
    names = names_of(figure)
    for series in figure.series:
        _draw_line(axes, series, series.label, styles[series.label], names)
    axes.set(xlabel=figure.xlabel, ylabel=figure.ylabel)
    axes.spines['right'].set_visible(bool(figure.right))
    axes.margins(x=0.04, y=0.08)
    if names:
        axes.set_xticks(range(len(names)), names)
    elif all(float(x).is_integer() for s in figure.series for x in s.x):
        axes.xaxis.get_major_locator().set_params(integer=True)


def _draw_line(axes, series: Series, label: str, style: Style, names: Sequence[str]) -> None:
    x = [names.index(str(v)) if names else v for v in series.x]
    y = numbers(series.y)
    axes.plot(x, y, color=style.colour, linestyle=style.line, marker=style.marker, markersize=5.5,
              markerfacecolor=PAPER if style.hollow else style.colour, label=label)
    if series.error is not None:
        error = numbers(series.error)
        axes.fill_between(x, [a - e for a, e in zip(y, error)], [a + e for a, e in zip(y, error)],
                          color=style.colour, alpha=0.16, linewidth=0)


def _draw_references(axes, figure: Figure, styles, horizontal: bool) -> None:
    line, span = (axes.axvline, axes.axvspan) if horizontal else (axes.axhline, axes.axhspan)
    for reference in figure.references:
        style = styles[reference.label]
        line(reference.y, color=style.colour, linestyle=style.line, linewidth=1.3,
             label=reference.label, zorder=1.5)
        if reference.error:
            span(reference.y - reference.error, reference.y + reference.error, zorder=0.9,
                 color=style.colour, alpha=0.12, linewidth=0)


def _right_axis(axes, figure: Figure, styles):
    twin = axes.twinx()
    for series in figure.right:
        _draw_line(twin, series, f'{series.label} (right axis)', styles[series.label],
                   names_of(figure))
    twin.set_ylabel(figure.right_label)
    twin.grid(False)
    twin.margins(x=0.04, y=0.08)
    return twin


def _legend(canvas, handles: List[Any], labels: List[str]) -> None:
    """Above the axes, where it hides nothing, in as many columns as fit."""
    from matplotlib import rcParams
    if not labels:
        return
    column = 0.55 * rcParams['font.size'] * max(map(len, labels)) + 42
    columns = max(1, min(len(labels), int(72 * canvas.get_figwidth() / column)))
    canvas.legend(handles, labels, loc='outside upper left', ncols=columns, handlelength=2.8,
                  columnspacing=1.4, borderaxespad=0.2)


def _svg(canvas) -> str:
    file = BytesIO()
    canvas.savefig(file, format='svg', transparent=True,
                   metadata={'Date': None, 'Creator': None, 'Format': None, 'Type': None})
    return file.getvalue().decode('utf-8')


def _png(canvas) -> bytes:
    file = BytesIO()
    canvas.savefig(file, format='png', dpi=150, facecolor=PAPER, metadata={'Software': None})
    return file.getvalue()
