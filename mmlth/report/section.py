"""A section of a report and its figures, as plain data: what is shown, not how.

What is found is worked out elsewhere (``mmlth.analysis``); the modules beside this one plot and
write it.
"""
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Union


@dataclass
class Series:
    """One line, or one group of bars, of a figure.

    Args:
        label: What the legend says. It decides the colour: the same label has the same
            colour in every figure.
        x: Numbers, or names for bars.
        y: One value per x; None where there is none.
        error: Half the height of the band around each y (of bars, of the whisker), in the
            unit of y; None without one, or where one seed has no spread. Default: None.
    """
    label: str
    x: Sequence[Union[float, str]]
    y: Sequence[Optional[float]]
    error: Optional[Sequence[Optional[float]]] = None


@dataclass
class Reference:
    """A horizontal line to compare with, and a band of ``error`` on either side."""
    label: str
    y: float
    error: Optional[float] = None


@dataclass
class Figure:
    """What is plotted, not how.

    Args:
        key: The file's name without suffix, unique in a report; ``KEY.svg``, ``.png``, ``.csv``.
        kind: ``'lines'`` or ``'bars'``.
        caption: A sentence or two below the figure.
        xlabel: With its unit.
        ylabel: With its unit.
        series: On the left axis.
        references: Horizontal lines. Default: none.
        right: Series on the right axis, for a second unit. Default: none.
        right_label: Label of that axis, with its unit. Default: none.
    """
    key: str
    kind: str
    caption: str
    xlabel: str
    ylabel: str
    series: List[Series]
    references: List[Reference] = field(default_factory=list)
    right: List[Series] = field(default_factory=list)
    right_label: str = ''


@dataclass
class Picture:
    """A picture that is not plotted from data.

    Args:
        key: Its name in links, unique in a report.
        png: What a PNG file of it has in it.
        caption: A sentence or two below it.
    """
    key: str
    png: bytes
    caption: str


@dataclass
class Section:
    """One item of the report.

    Args:
        key: Its name in file names and links, unique in a report.
        title: A heading.
        text: What it shows and how it was measured: plain paragraphs, blank lines between.
        rows: The data, flat: one dict per row of ``KEY.csv``, all with the same keys.
        columns: Of the printed table: key of ``rows`` -> heading with its unit, in order. Default:
            none, no table is printed.
        figures: Default: none.
        pictures: Below the figures. Default: none.
        paper: The item of the paper it repeats, as ``'Fig. 2a'`` or ``'Table 3'``. Default: none.
        finding: What was found, in sentences that an overview repeats; it stands in ``text`` too.
            Default: nothing.
    """
    key: str
    title: str
    text: str
    rows: List[Dict[str, Any]] = field(default_factory=list)
    columns: Dict[str, str] = field(default_factory=dict)
    figures: List[Figure] = field(default_factory=list)
    pictures: List[Picture] = field(default_factory=list)
    paper: str = ''
    finding: str = ''
