"""The report as one HTML page that needs nothing else, and as Markdown."""
from base64 import b64encode
from importlib.resources import files
from itertools import groupby
from typing import Dict, List, Sequence, Union

from .cells import markdown, markdown_table, table_of, typeset
from .data import figure_rows, to_csv
from .plot import Plot
from .section import Figure, Section
from .svg import inline

PICTURES = 'pictures'
LONG = 40       # rows; longer tables are folded


def html(title: str, sections: Sequence[Section], plots: Dict[str, Plot]) -> str:
    """The page: style, figures and pictures inside, no script, no request.

    Args:
        title: Its heading.
        sections: In order.
        plots: Of each figure, by its key.
    """
    from jinja2 import Environment, StrictUndefined
    here = files(__package__)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    template = environment.from_string((here / 'report.html.j2').read_text(encoding='utf-8'))
    return template.render(
        title=title, style=(here / 'report.css').read_text(encoding='utf-8'),
        sections=[_section(section, plots) for section in sections])


def _section(section: Section, plots: Dict[str, Plot]) -> dict:
    headings, rows, numeric = table_of(section)
    rows = [[typeset(cell) for cell in row] for row in rows]
    kinds = [_kind(column, n) for column, n in zip(zip(*rows), numeric)]
    common = _common(rows, kinds)
    groups = [(list(zip(headings, head)), [row[common:] for row in members])
              for head, members in groupby(rows, key=lambda row: row[:common])]
    return dict(
        key=section.key, title=section.title, paper=section.paper,
        paragraphs=[typeset(text) for text in paragraphs(section)],
        headings=headings, kinds=kinds, common=common, groups=groups,
        long=len(rows) if len(rows) > LONG else 0,
        csv=_data(to_csv(section.rows), 'text/csv') if section.rows else '',
        figures=[_figure(figure, plots[figure.key]) for figure in section.figures],
        pictures=[dict(key=picture.key, caption=typeset(picture.caption),
                       source=_data(picture.png, 'image/png'))
                  for picture in section.pictures])


def _common(rows: List[List[str]], kinds: Sequence[str]) -> int:
    """How many first columns say the same in many rows: the rows stand under what they say."""
    best = 0
    for count in range(1, len(kinds) - 1):
        heads = [tuple(row[:count]) for row in rows]
        groups = [head for head, _ in groupby(heads)]
        if kinds[count - 1] == 'number' or len(set(groups)) < len(groups):
            break
        if len(rows) >= (2 if count == 1 else 4) * len(groups):
            best = count
    return best


def _kind(column: Sequence[str], numeric: bool) -> str:
    """Class of a column: of numbers, or of text too short to be worth a line break."""
    return 'number' if numeric else 'short' if max(map(len, column), default=0) <= 40 else 'text'


def _figure(figure: Figure, plot: Plot) -> dict:
    title = f'{figure.ylabel} against {figure.xlabel}' if figure.xlabel else figure.ylabel
    names = [series.label for series in (*figure.series, *figure.right)]
    names += [reference.label for reference in figure.references]
    text = f'{figure.caption} Shown: {", ".join(dict.fromkeys(names))}.'
    return dict(
        key=figure.key, caption=typeset(figure.caption), broad=plot.broad,
        wide=inline(plot.wide, f'figure-{figure.key}-wide', title, text),
        narrow=inline(plot.narrow, f'figure-{figure.key}-narrow', title, text),
        csv=_data(to_csv(figure_rows(figure)), 'text/csv'))


def paragraphs(section: Section) -> List[str]:
    """The text, one string per paragraph."""
    return [' '.join(part.split()) for part in section.text.split('\n\n') if part.strip()]


def _data(content: Union[str, bytes], kind: str) -> str:
    content = content.encode('utf-8') if isinstance(content, str) else content
    return f'data:{kind};base64,{b64encode(content).decode("ascii")}'


def to_markdown(title: str, sections: Sequence[Section]) -> str:
    """The same in Markdown, figures and pictures as files beside it."""
    parts = [f'# {markdown(title)}']
    for section in sections:
        paper = f' ({markdown(section.paper)} of the paper)' if section.paper else ''
        parts += [f'## {markdown(section.title)}{paper}', *map(markdown, paragraphs(section))]
        for figure in section.figures:
            parts += [f'![{markdown(figure.caption)}](figures/{figure.key}.png)',
                      f'{markdown(figure.caption)} [Data](data/{figure.key}.csv).']
        for picture in section.pictures:
            parts += [f'![{markdown(picture.caption)}]({PICTURES}/{picture.key}.png)',
                      markdown(picture.caption)]
        if section.columns and section.rows:
            parts += [markdown_table(section).rstrip(), f'[Data](tables/{section.key}.csv), '
                      f'[LaTeX](tables/{section.key}.tex).']
        elif section.rows:
            parts.append(f'[Data](tables/{section.key}.csv).')
    return '\n\n'.join(parts) + '\n'
