"""Cells of a table as text, and the text escaped for Markdown and LaTeX."""
import re
from numbers import Real
from typing import Any, Dict, List, Sequence, Tuple

from .section import Section

NONE = '–'
# One or several numbers, as in '68.4 ± 0.3', '-0.2 to +0.4', '0, 1, 2', '80 %'.
_NUMBER = re.compile(r'[-+−±<>≤≥~(\s]*\.?\d(?:[-+−±\d.,;:%×e()\s]|to)*')


def table_of(section: Section) -> Tuple[List[str], List[List[str]], List[bool]]:
    """The printed table.

    Returns:
        tuple: The headings; the rows of cells; for each column, whether it holds numbers.
    """
    headings, columns, numeric = list(section.columns.values()), [], []
    for key in section.columns:
        values = [row[key] for row in section.rows]
        columns.append(column_text(values))
        given = [v for v in values if v is not None and v != '']
        numeric.append(bool(given) and all(_is_number(v) or isinstance(v, str)
                                           and bool(_NUMBER.fullmatch(v)) for v in given))
    return headings, [list(row) for row in zip(*columns)], numeric


def column_text(values: Sequence[Any]) -> List[str]:
    """Cells of one column: its fractions with the same number of digits after the point.

    Whole numbers have their thousands apart where one of the column is long, or has a fraction.
    """
    sizes = [abs(v) for v in values if _is_number(v) and not isinstance(v, int) and v == v]
    largest = max((s for s in sizes if s != float('inf')), default=0.0)
    whole = all(s % 1 == 0 for s in sizes)
    digits = 0 if whole or largest >= 1000 else 1 if largest >= 100 else 2 if largest > 1 else 3
    longest = max((abs(v) for v in values if isinstance(v, int)), default=0)
    apart = longest >= 10_000 or largest >= 1000
    return [_cell(value, digits, apart) for value in values]


def _cell(value: Any, digits: int, apart: bool) -> str:
    if value is None or value == '':
        return NONE
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, int):
        return f'{value:,}' if apart else str(value)
    if _is_number(value):
        text = f'{value:,.{digits}f}'
        if value and not float(text.replace(',', '')):  # rounded away
            return f'{value:.1e}' if digits > 2 else text.removeprefix('-')
        return text
    if isinstance(value, (list, tuple)):
        return ', '.join(_cell(v, digits, apart) for v in value) or NONE
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def typeset(text: str) -> str:
    """Real minus signs before numbers, and per cent on the line of its number, for a page."""
    text = re.sub(r'(?<![\w.)])-(?=[\d.])', '−', text)
    return re.sub(r'(?<=\d) %', '\N{NO-BREAK SPACE}%', text)


def markdown(text: str) -> str:
    """One paragraph or cell, so that Markdown shows it as it is."""
    text = ' '.join(text.split())
    text = re.sub(r'([\\`*_\[\]<>|#~$&!])', r'\\\1', text)
    text = re.sub(r'^([-+=])', r'\\\1', text)
    return re.sub(r'^(\d+)([.)])(?=\s|$)', r'\1\\\2', text)


_LATEX: Dict[str, str] = {
    '\\': r'\textbackslash{}', '{': r'\{', '}': r'\}', '$': r'\$', '&': r'\&', '#': r'\#',
    '_': r'\_', '%': r'\%', '^': r'\textasciicircum{}', '~': r'\textasciitilde{}',
    '<': r'\textless{}', '>': r'\textgreater{}', '|': r'\textbar{}', '"': r'\textquotedbl{}',
    '±': r'$\pm$', '−': '$-$', '–': '--', '×': r'$\times$', '≤': r'$\leq$',
    '≥': r'$\geq$', 'σ': r'$\sigma$', 'Δ': r'$\Delta$', '→': r'$\rightarrow$',
    '✓': r'$\checkmark$'}


def latex(text: str) -> str:
    """Text for LaTeX, its special characters escaped."""
    text = ''.join(_LATEX.get(c, c) for c in ' '.join(text.split()))
    return re.sub(r'(?<![\w.)-])-(?=[\d.])', '$-$', text)


def markdown_table(section: Section) -> str:
    """The table in Markdown, readable as text too; empty where there is none."""
    if not section.columns or not section.rows:
        return ''
    headings, rows, numeric = table_of(section)
    cells = [[markdown(cell) for cell in row] for row in [headings, *rows]]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(headings))]
    lines = ['| ' + ' | '.join(c.rjust(w) if n else c.ljust(w)
                               for c, w, n in zip(row, widths, numeric)) + ' |' for row in cells]
    lines.insert(1, '|' + '|'.join('-' * (w + 1) + ('-:'[n]) for w, n in zip(widths, numeric))
                 + '|')
    return '\n'.join(lines) + '\n'


def latex_table(section: Section) -> str:
    """The table in LaTeX, with booktabs; empty where there is none."""
    if not section.columns or not section.rows:
        return ''
    headings, rows, numeric = table_of(section)
    body = [' & '.join(map(latex, row)) + r' \\' for row in rows]
    return '\n'.join([
        r'% Needs \usepackage{booktabs} (and amssymb for check marks).',
        r'\begin{table}', r'\centering', rf'\caption{{{latex(section.title)}}}',
        rf'\label{{tab:{re.sub("[^A-Za-z0-9:-]", "-", section.key)}}}',
        rf'\begin{{tabular}}{{{"".join("lr"[n] for n in numeric)}}}', r'\toprule',
        ' & '.join(map(latex, headings)) + r' \\', r'\midrule', *body, r'\bottomrule',
        r'\end{tabular}', r'\end{table}', ''])
