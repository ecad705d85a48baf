"""The files of a report: all there, right, safe, and whole."""
import csv
import json
import re
from base64 import b64decode
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_sections import all_sections, layer_section, sparsity_section

from mmlth.core.errors import UserError
from mmlth.report import Figure, Section, Series, write_report
from mmlth.report.cells import column_text, latex, latex_table, markdown, markdown_table
from mmlth.report.page import html, to_markdown

TEXT = st.text(st.characters(codec='utf-8', exclude_categories=('Cc', 'Cs', 'Cn', 'Co', 'Zl',
                                                                'Zp')), max_size=30)


@pytest.fixture(scope='module')
def sections(tmp_path_factory):
    return all_sections(tmp_path_factory.mktemp('pictures'))


@pytest.fixture(scope='module')
def report(sections, tmp_path_factory):
    folder = tmp_path_factory.mktemp('report') / 'new'
    assert write_report(sections, folder, 'A & B <i>') == folder / 'report.html'
    return folder


def _files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def test_every_file_is_there_and_no_other(report):
    figures = ['map_sparsity', 'category_frequency', 'object_size', 'early_bird', 'layers']
    expected = {'report.html', 'report.md', 'report_files.json', 'pictures/sample_1.png',
                'tables/sparsity.csv', 'tables/sparsity.md', 'tables/sparsity.tex',
                'tables/layers.csv'}
    expected |= {f'figures/{key}.{end}' for key in figures for end in ('svg', 'png')}
    expected |= {f'data/{key}.csv' for key in figures}
    assert set(_files(report)) == expected
    assert (report / 'figures' / 'layers.png').read_bytes().startswith(b'\x89PNG')


def test_csv_files_have_the_numbers_unrounded(report, sections):
    with open(report / 'tables' / 'sparsity.csv', newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert [row['mean'] for row in rows] == [
        '' if row['mean'] is None else repr(row['mean']) for row in sections[0].rows]
    with open(report / 'data' / 'map_sparsity.csv', newline='', encoding='utf-8') as file:
        points = [r for r in csv.DictReader(file) if r['axis'] == 'left']
    figure = sections[0].figures[0]
    assert [float(p['y']) if p['y'] else None for p in points] == [
        y for series in figure.series for y in series.y]
    assert [p['label'] for p in points] == [s.label for s in figure.series for _ in s.x]


def test_the_page_holds_the_same_csv_files_and_pictures(report):
    page = (report / 'report.html').read_text(encoding='utf-8')
    held = dict(re.findall(r'download="([^"]+)" href="data:text/csv;base64,([^"]+)"', page))
    files = {p.name: p for folder in ('data', 'tables') for p in (report / folder).glob('*.csv')}
    assert set(held) == set(files)
    assert b64decode(held['map_sparsity.csv']) == files['map_sparsity.csv'].read_bytes()
    picture = re.search(r'<img src="data:image/png;base64,([^"]+)"', page)[1]
    assert b64decode(picture) == (report / 'pictures' / 'sample_1.png').read_bytes()


def test_text_that_starts_with_a_number_is_no_number():
    columns = dict(a='a', b='b', c='c')
    rows = [dict(a='80 % sparsity', b='68.4 ± 0.3', c='-0.2 to +0.4')] * 2
    assert r'{lrr}' in latex_table(Section('s', 's', '', rows, columns))


def test_the_same_sections_give_the_same_bytes(report, sections, tmp_path):
    write_report(sections, tmp_path, 'A & B <i>')
    assert _files(tmp_path) == _files(report)


def test_a_second_report_replaces_the_first_and_nothing_else(sections, tmp_path):
    write_report(sections[:1] + sections[2:], tmp_path, 'first')
    (tmp_path / 'figures' / 'mine.png').write_bytes(b'mine')
    (tmp_path / 'notes.md').write_text('mine')
    write_report([layer_section()], tmp_path, 'second')
    assert set(_files(tmp_path)) == {
        'report.html', 'report.md', 'report_files.json', 'figures/mine.png', 'notes.md',
        'figures/early_bird.svg', 'figures/early_bird.png', 'data/early_bird.csv',
        'figures/layers.svg', 'figures/layers.png', 'data/layers.csv', 'tables/layers.csv'}
    assert (tmp_path / 'report.md').read_text().startswith('# second\n')


def test_the_report_of_something_else_is_not_overwritten(tmp_path):
    (tmp_path / 'report.md').write_text('of a lottery')
    with pytest.raises(UserError, match=r'has a report\.md .* another folder'):
        write_report([layer_section()], tmp_path, 'x')
    assert set(_files(tmp_path)) == {'report.md'}


def test_a_list_of_files_cannot_remove_what_lies_outside(tmp_path):
    out, other = tmp_path / 'out', tmp_path / 'other.txt'
    out.mkdir()
    other.write_text('mine')
    names = ['../other.txt', str(other), 'figures/../../other.txt', 'lottery.json']
    (out / 'lottery.json').write_text('mine')
    (out / 'report_files.json').write_text(json.dumps(names))
    write_report([layer_section()], out, 'x')
    assert other.exists() and (out / 'lottery.json').exists()
    (out / 'report_files.json').write_text('{"half')
    with pytest.raises(UserError, match='not the list of files'):
        write_report([layer_section()], out, 'x')


def test_a_failed_run_leaves_the_report_as_it_was(tmp_path):
    write_report([layer_section()], tmp_path, 'first')
    before = _files(tmp_path)
    broken = Figure('broken', 'pie', '', '', '', [Series('a', [1], [1.0])])
    with pytest.raises(ValueError, match='broken'):
        write_report([layer_section(), Section('s', 'S', '', figures=[broken])], tmp_path, 'next')
    assert _files(tmp_path) == before


def test_a_killed_run_can_be_followed_by_another(tmp_path, monkeypatch, sections):
    from mmlth.report import write

    def killed(path):
        if str(path).endswith('.md'):
            raise KeyboardInterrupt
        return whole_file(path)
    whole_file = write.whole_file
    with monkeypatch.context() as patch:
        patch.setattr(write, 'whole_file', killed)
        with pytest.raises(KeyboardInterrupt):
            write_report([sections[2]], tmp_path, 'x')
    assert (tmp_path / 'figures' / 'layers.svg').exists()
    assert not (tmp_path / 'report.html').exists()
    write_report([sparsity_section()], tmp_path, 'x')
    assert not (tmp_path / 'figures' / 'layers.svg').exists()


@pytest.mark.parametrize('key', ['a/b', '../a', '', '.a', 'ä', 'a b'])
def test_keys_that_are_no_file_names_are_refused(key, tmp_path):
    with pytest.raises(ValueError, match='no plain file name'):
        write_report([Section(key, 'T', '')], tmp_path, 'x')
    assert not _files(tmp_path)


def test_keys_used_twice_are_refused(tmp_path):
    with pytest.raises(ValueError, match='used twice'):
        write_report([Section('a', 'T', ''), Section('A', 'T', '')], tmp_path, 'x')


def test_columns_have_as_many_digits_as_they_need():
    assert column_text([0.31415, None, 0.2]) == ['0.314', '–', '0.200']
    assert column_text([68.5312, -0.004, 0.0]) == ['68.53', '0.00', '0.00']
    assert column_text([0.5, 3.2e-5, 0.0]) == ['0.500', '3.2e-05', '0.000']
    assert column_text([1234567, 12, True, 'a', [1, 2], '']) == [
        '1,234,567', '12', 'yes', 'a', '1, 2', '–']
    assert column_text([float('nan'), float('inf')]) == ['nan', 'inf']
    assert column_text([1200, 1260.0]) == ['1,200', '1,260']
    assert column_text([1200, 800]) == ['1200', '800']


class _Parser(HTMLParser):
    """Tags, and the text of every table cell and paragraph."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in ('td', 'p', 'th', 'h1'):
            self.texts.append('')
        self.open = tag in ('td', 'p', 'th', 'h1')

    def handle_endtag(self, tag):
        self.open = False

    def handle_data(self, data):
        if self.open:
            self.texts[-1] += data


@settings(max_examples=60)
@given(TEXT, TEXT, st.text(max_size=20))
def test_html_shows_data_as_it_is(title, cell, heading):
    section = Section('s', title, cell, [dict(a=cell)], dict(a=heading))
    page = _Parser(html(title, [section], {}))
    same = _Parser(html('t', [Section('s', 't', 'c' if cell.strip() else '', [dict(a='c')],
                                      dict(a='h'))], {}))
    assert page.tags == same.tags
    if not re.search('-[0-9.]|[0-9] %', cell):      # typeset: real minus signs, fixed spaces
        assert (cell or '–') in page.texts
    if heading and '\r' not in heading and '\0' not in heading:
        assert heading in page.texts
    if title and '\r' not in title:
        assert title in page.texts


def test_rows_stand_under_what_they_have_in_common():
    rows = [dict(model=model, x=x, y=-x) for model in 'AB' for x in (1, 2, 3)]
    columns = dict(model='model', x='x', y='y')
    page = html('t', [Section('s', 's', '', rows, columns)], {})
    assert _cells(page) == ['x', 'y', 'model: A', '1', '−1', '2', '−2', '3', '−3',
                            'model: B', '1', '−1', '2', '−2', '3', '−3']
    one = [dict(data='D', task='t', **row) for row in rows[:2] + rows[:2]]
    deep = dict(data='data', task='task', x='x', y='y')
    both = html('t', [Section('s', 's', '', one, deep)], {})
    assert _cells(both)[:4] == ['x', 'y', 'data: D · task: t', '1']
    mixed = html('t', [Section('s', 's', '', rows[::2] + rows[1::2], columns)], {})
    assert _cells(mixed)[:6] == ['model', 'x', 'y', 'A', '1', '−1']


def test_long_tables_are_folded():
    def page(rows):
        return html('t', [Section('s', 's', '', [dict(x=i) for i in range(rows)],
                                  dict(x='x'))], {})
    assert '<summary>Table of 41 rows</summary>' in page(41) and '<details' not in page(40)


def _cells(page):
    table = page[page.index('<table>'):page.index('</table>')]
    return [re.sub('<.*?>', '', cell) for cell in re.findall('<t[hd] .*?</t[hd]>', table)]


@settings(max_examples=150)
@given(TEXT)
def test_markdown_shows_data_as_it_is(text):
    from markdown_it import MarkdownIt
    parser = MarkdownIt('commonmark').enable('table').enable('strikethrough')
    shown = ' '.join(text.split())
    table = markdown_table(Section('s', 't', '', [dict(a=text, b='last')], dict(a='h', b='i')))
    cells = [t.children for t in parser.parse(table) if t.type == 'inline'][2:]
    assert len(cells) == 2
    assert ''.join(t.content for t in cells[0]) == (shown or ('–' if not text else ''))
    assert {t.type for t in cells[0]} <= {'text', 'text_special'}
    if shown:
        tokens = parser.parse(markdown(text))
        assert [t.type for t in tokens] == ['paragraph_open', 'inline', 'paragraph_close']
        assert ''.join(t.content for t in tokens[1].children) == shown


@settings(max_examples=150)
@given(TEXT)
def test_latex_has_no_special_character_left(text):
    known = r'\\text\w+\{\}|\\[{}$&#_%]|\$(?:\\\w+|-)\$'
    left = re.sub(known, '', latex(text))
    assert not re.search(r'[\\{}$&#_%^~<>|"]', left)


def test_latex_table_has_rules_and_as_many_cells_as_columns():
    table = latex_table(sparsity_section())
    assert [table.count(rule) for rule in (r'\toprule', r'\midrule', r'\bottomrule')] == [1, 1, 1]
    assert r'\begin{tabular}{lrrrrrl}' in table and r'sparsity (\%)' in table
    rows = [line for line in table.splitlines() if line.endswith(r'\\')]
    assert len(rows) == 16 and {row.count('&') for row in rows} == {6}
    assert latex('-1.5 and a-b') == '$-$1.5 and a-b'


def test_markdown_links_to_files_that_are_there(report, sections):
    text = to_markdown('A', sections)
    links = re.findall(r'\]\(([^)]+)\)', text)
    assert len(links) == 2 * 5 + 1 + 3
    assert all((report / link).is_file() for link in links)
