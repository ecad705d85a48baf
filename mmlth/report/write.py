"""The files of a report."""
import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence, Tuple, Union

from mmlth.core.errors import UserError
from mmlth.core.files import whole_file, why_not_writable, write_json

from . import cells, page
from .data import figure_rows, to_csv
from .guard import Guard
from .plot import Plot, plot
from .section import Section
from .style import assign

# What a report has written, so that the next one may replace it.
FILES = 'report_files.json'


def write_report(sections: Sequence[Section], out: Union[str, Path], title: str,
                 guard: Optional[Guard] = None) -> Path:
    """Write the report of ``sections``.

    ``report.html`` (one file, everything inside), ``report.md``; of each figure
    ``figures/KEY.svg``, ``figures/KEY.png`` and ``data/KEY.csv``; of each section with rows
    ``tables/KEY.csv``, and with columns ``tables/KEY.md`` and ``.tex``; ``pictures/KEY.png``.
    Each is written whole or not at all, the page last. Files of an earlier report that this
    one does not have are removed, no others.

    Args:
        sections: What to report, in order. No two sections, figures or pictures share a key.
        out: The folder.
        title: Heading of the report.
        guard: Notes which figures cannot be plotted; the page says so. Default: None, they raise.

    Returns:
        Path: ``report.html``.

    Raises:
        ValueError: A key is used twice, or is no plain file name.
        UserError: A file of a report's name is there that no report has written.
    """
    check_sections(sections)
    out, files = Path(out), _contents(sections, title, guard)
    _check_foreign(out, files)
    earlier = _earlier(out)
    # Listed first: a killed process leaves no file that the next one does not know.
    write_json(out / FILES, sorted({*earlier, *files}))
    for name, content in files.items():
        with whole_file(out / name) as part:
            part.write_bytes(content.encode('utf-8') if isinstance(content, str) else content)
    for name in set(earlier) - set(files):
        (out / name).unlink(missing_ok=True)
    write_json(out / FILES, sorted(files))
    return out / 'report.html'


def check_folder(out: Union[str, Path]) -> None:
    """Raise a UserError if no report can be written into a folder.

    Raises:
        UserError: It cannot be written to, or has a page that no report has written.
    """
    reason = why_not_writable(out)
    if reason:
        raise UserError(reason)
    _check_foreign(Path(out), ['report.html', 'report.md'])


def _check_foreign(out: Path, files: Iterable[str]) -> None:
    earlier = _earlier(out)
    foreign = [name for name in files if name not in earlier and (out / name).exists()]
    if foreign:
        raise UserError(f'{out} has a {foreign[0]} that no report of an analysis has written: it '
                        'would be lost. Choose another folder, or move it away.')


def _plotted(sections: Sequence[Section],
           guard: Optional[Guard]) -> Tuple[List[Section], Dict[str, Plot]]:
    """The sections without the figures that cannot be plotted, and the plots of the others."""
    styles = assign([figure for section in sections for figure in section.figures])
    plots, kept = {}, []
    for section in sections:
        text = section.text
        for figure in section.figures:
            name = f'figure {figure.key}'
            make = partial(plot, figure, styles)
            plotted = guard.run(name, make) if guard else make()
            if plotted is not None:
                plots[figure.key] = plotted
            elif guard:
                reason = guard.failed.get(name) or guard.skipped[name]
                text += f'\n\nThe figure {figure.key} is left out: {reason}.'
        kept.append(replace(section, text=text, figures=[
            figure for figure in section.figures if figure.key in plots]))
    return kept, plots


def _contents(sections: Sequence[Section], title: str, guard: Optional[Guard]
              ) -> Dict[str, Union[str, bytes]]:
    """Name of each file -> what is in it; ``report.html`` last."""
    sections, plots = _plotted(sections, guard)
    figures = [figure for section in sections for figure in section.figures]
    files: Dict[str, Union[str, bytes]] = {}
    for figure in figures:
        files[f'figures/{figure.key}.svg'] = plots[figure.key].wide
        files[f'figures/{figure.key}.png'] = plots[figure.key].png
        files[f'data/{figure.key}.csv'] = to_csv(figure_rows(figure))
    for section in sections:
        files.update(_tables(section))
        for picture in section.pictures:
            files[f'{page.PICTURES}/{picture.key}.png'] = picture.png
    files['report.md'] = page.to_markdown(title, sections)
    files['report.html'] = page.html(title, sections, plots)
    return files


def _tables(section: Section) -> Dict[str, str]:
    """The files of its rows."""
    files = {}
    if section.rows:
        files[f'tables/{section.key}.csv'] = to_csv(section.rows)
    if section.rows and section.columns:
        files[f'tables/{section.key}.md'] = cells.markdown_table(section)
        files[f'tables/{section.key}.tex'] = cells.latex_table(section)
    return files


def check_sections(sections: Sequence[Section]) -> None:
    """See that they can stand in one report.

    Raises:
        ValueError: A key is used twice, or is no plain file name; or rows of a section have other
            keys than its first.
    """
    for section in sections:
        _tables(section)
    for items in (sections, [f for s in sections for f in s.figures],
                  [p for s in sections for p in s.pictures]):
        seen: List[str] = []
        for key in [item.key for item in items]:
            if not re.fullmatch(r'[A-Za-z0-9][\w.-]*', key, re.ASCII):
                raise ValueError(f'The key {key!r} is no plain file name: letters, digits, _ . -')
            if key.lower() in seen:     # some file systems do not tell case apart
                raise ValueError(f'The key {key!r} is used twice: files have these names')
            seen.append(key.lower())


def _earlier(out: Path) -> List[str]:
    """The files of the report that is there; none that could lie outside ``out``."""
    if not (out / FILES).exists():
        return []
    try:
        names = json.loads((out / FILES).read_text(encoding='utf-8'))
        return [n for n in names if re.fullmatch(
            r'report\.(html|md)|(figures|data|tables|pictures)/[\w-][\w.-]*', n, re.ASCII)]
    except (ValueError, TypeError) as error:
        raise UserError(f'{out / FILES} is not the list of files that a report leaves there: '
                        f'{error}. Choose another folder, or remove it.') from error
