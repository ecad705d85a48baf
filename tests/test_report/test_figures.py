"""Figures: their colours, their data, and what they look like."""
import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from report_sections import all_sections

from mmlth.report import Figure, Reference, Series
from mmlth.report import plot as plotting
from mmlth.report.data import figure_rows, to_csv
from mmlth.report.plot import plot
from mmlth.report.style import assign
from mmlth.report.svg import inline


def _figure(labels, references=(), kind='lines', key='f', **more):
    return Figure(key, kind, 'A caption.', 'x (%)', 'y (%)',
                  [Series(label, [1, 2, 3], [1.0, 2.0, 3.0]) for label in labels],
                  [Reference(label, 2.0, 0.5) for label in references], **more)


@pytest.fixture(scope='module')
def figures(tmp_path_factory):
    sections = all_sections(tmp_path_factory.mktemp('pictures'))
    return {figure.key: figure for section in sections for figure in section.figures}


@pytest.fixture(scope='module')
def plots(figures):
    styles = assign(figures.values())
    return {key: plot(figure, styles) for key, figure in figures.items()}


def test_known_methods_have_the_same_style_in_every_report():
    many = assign([_figure(['direct', 'ImageNet ticket', 'control: random mask', 'x', 'y'],
                           ['dense']), _figure(['a', 'b', 'c', 'd', 'e'])])
    for label in ('direct', 'ImageNet ticket', 'control: random mask'):
        assert assign([_figure([label])])[label] == many[label]
    assert assign([_figure([], ['dense, mean of 3'])])['dense, mean of 3'] == many['dense']
    # Nor does one of two early-birds take the place of a third method.
    label = 'ticket of digits classifier'
    more = assign([_figure(['early-bird at 10%', 'early-bird at 50%', label])])
    assert assign([_figure([label])])[label] == more[label]


def test_chance_has_the_colour_of_what_it_is_chance_for():
    labels = ['direct', 'layerwise', 'chance, direct', 'chance, layerwise', 'chance']
    styles = assign([_figure(labels)])
    for label in labels[:2]:
        chance = styles[f'chance, {label}']
        assert chance.colour == styles[label].colour and chance != styles[label]
    assert len({style.colour for style in styles.values()}) == 3


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=10, unique=True),
       st.integers(0, 9))
def test_styles_do_not_depend_on_the_order_of_labels_or_figures(labels, cut):
    figures = [_figure(labels[:cut + 2]), _figure(labels[cut:])]
    turned = [_figure(labels[:cut - 1:-1] if cut else labels[::-1]), _figure(labels[cut + 1::-1])]
    assert assign(turned) == assign(figures)


@given(st.lists(st.sampled_from(
    ['direct', 'ImageNet ticket', 'transferred', 'early-bird', '50 %', '80 %', '90 %', 'base',
     'top', 'rpn', 'small', 'large', 'layerwise', 'control: random mask']), unique=True,
    max_size=14), st.lists(st.sampled_from(['dense', 'chance', 'all in scope', 'dense R50']),
                           unique=True))
def test_no_two_labels_of_a_figure_look_alike(labels, references):
    styles = assign([_figure(labels, references)])
    assert set(styles) == {*labels, *references}
    for a, b in combinations(styles.values(), 2):
        assert a != b
        # Colour is never alone.
        assert a.marker != b.marker or a.line != b.line or a.hollow != b.hollow
    if len(labels) <= 7:
        assert len({styles[label].colour for label in labels}) == len(labels)


def test_csv_has_every_number_of_the_figure(figures):
    figure = figures['early_bird']
    rows = list(csv.DictReader(io.StringIO(to_csv(figure_rows(figure)))))
    for axis, group in (('left', figure.series), ('right', figure.right)):
        for series in group:
            got = [r for r in rows if r['axis'] == axis and r['label'] == series.label]
            assert [float(r['x']) for r in got] == series.x
            assert [float(r['y']) if r['y'] else None for r in got] == series.y
            if series.error:
                assert [float(r['error']) for r in got] == series.error
    assert [(r['label'], float(r['y'])) for r in rows if r['axis'] == 'reference'] == [
        (r.label, r.y) for r in figure.references]


def test_the_same_figure_gives_the_same_bytes(figures, plots):
    styles = assign(figures.values())
    assert plot(figures['map_sparsity'], styles) == plots['map_sparsity']
    assert not re.search(r'<dc:|matplotlib\.org|\b20\d\d-\d\d', plots['map_sparsity'].wide)


def test_svgs_say_what_is_drawn(figures, plots):
    for key, figure in figures.items():
        for svg in (plots[key].wide, plots[key].narrow):
            texts = [e.text for e in ElementTree.fromstring(svg).iter() if e.tag.endswith('}text')]
            assert {figure.xlabel, figure.ylabel} <= set(texts)
            assert {*(s.label for s in figure.series), *(r.label for r in figure.references),
                    *(f'{s.label} (right axis)' for s in figure.right)} <= set(texts)
            assert all(str(x) in texts for s in figure.series for x in s.x
                       if figure.kind == 'bars')


@pytest.mark.parametrize('narrow', [True, False])
def test_the_legend_hides_no_data_and_no_name_hides_another(figures, narrow):
    styles = assign(figures.values())
    for figure in figures.values():
        with plotting._settings(figure, narrow):
            canvas = plotting._canvas(figure, styles, narrow=narrow)
            FigureCanvasAgg(canvas).draw()
        legend, axes = canvas.legends[0].get_window_extent(), canvas.axes[0]
        assert legend.y0 >= axes.get_window_extent().y1
        assert legend.x1 <= canvas.bbox.x1
        for axis in (axes.xaxis, axes.yaxis):
            boxes = [t.get_window_extent() for t in axis.get_ticklabels() if t.get_text()]
            assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:])), figure.key


@pytest.mark.parametrize('narrow', [True, False])
def test_long_names_leave_room_for_bars(narrow):
    names = [f'ticket of Keypoint R-CNN R18 (width 16), network, {i} %' for i in range(9)]
    figure = Figure('f', 'bars', 'c', '', 'change of segmentation mAP (points)',
                    [Series('direct (80 %) and ticket of Keypoint R-CNN R18 (width 16) (74 %), '
                            'scope base+rpn+head', names, [1.0] * 9)])
    with plotting._settings(figure, narrow):
        canvas = plotting._canvas(figure, assign([figure]), narrow=narrow)
        FigureCanvasAgg(canvas).draw()
    axes = canvas.axes[0]
    assert axes.get_window_extent().width > 0.3 * canvas.bbox.width
    assert canvas.legends[0].get_window_extent().y0 >= axes.get_window_extent().y1
    for text in (axes.xaxis.label, *axes.get_yticklabels(), *canvas.legends[0].get_texts()):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= canvas.bbox.x1, text.get_text()
    boxes = [t.get_window_extent() for t in axes.get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:]))


def test_a_single_point_shows_its_spread():
    figure = _figure(['direct'])
    series = figure.series[0]
    series.x, series.y, series.error = [1.0], [5.0], [2.0]
    axes = plotting._canvas(figure, assign([figure]), narrow=False).axes[0]
    bar, = axes.collections[-1].get_segments()
    assert bar.tolist() == [[1, 3], [1, 7]]


@pytest.mark.parametrize('narrow', [False, True])
def test_single_marks_at_one_place_stand_beside_each_other(narrow):
    figure = Figure('k', 'lines', 'A figure', 'cost', 'mAP', [
        *(Series(f'method {i}', [1.0], [30.0], [3.0]) for i in range(5)),
        Series('another cost', [2.0], [30.0]), Series('a line', [1, 2], [20.0, 30.0])])
    canvas = plotting._canvas(figure, assign([figure]), narrow)
    FigureCanvasAgg(canvas).draw()
    axes, = canvas.axes
    places = [line.get_transform().transform(line.get_xydata())[0][0] for line in axes.lines
              if len(line.get_xdata()) == 1 and line.get_xdata()[0] == 1 and line.get_marker()
              in {style.marker for style in assign([figure]).values()}]
    assert len(places) == 5
    assert min(b - a for a, b in zip(sorted(places), sorted(places)[1:])) > 5
    box = axes.get_window_extent()
    assert box.x0 < min(places) and max(places) < box.x1
    one, = (line for line in axes.lines if list(line.get_xdata()) == [2.0])
    assert one.get_transform().transform(one.get_xydata())[0][0] == pytest.approx(
        axes.transData.transform((2, 30))[0])


@pytest.mark.parametrize('x, y', [([25, 50, 1000], [2.9, 2.5, 1.2]), ([1000], [30.0])])
def test_lines_without_a_spread_are_within_the_axes(x, y):
    """Of one lottery there is no band, which would make room for the line, too."""
    figure = Figure('f', 'lines', 'A caption.', 'iteration', 'loss', [
        Series('dense', x, y), Series('round 1', x, [value / 2 for value in y])])
    canvas = plotting._canvas(figure, assign([figure]), narrow=False)
    FigureCanvasAgg(canvas).draw()
    (axes, ), box = canvas.axes, canvas.axes[0].get_window_extent()
    for line in axes.lines:
        for point in line.get_transform().transform(line.get_xydata()):
            assert box.contains(*point)


def test_missing_values_leave_gaps():
    figure = _figure(['direct'])
    figure.series[0].y = [1.0, None, 3.0]
    figure.series[0].error = [0.1, 0.1, None]
    axes = plotting._canvas(figure, assign([figure]), narrow=False).axes[0]
    assert str(list(axes.lines[0].get_ydata())) == '[1.0, nan, 3.0]'
    assert 'NaN' not in plot(figure, assign([figure])).wide.replace('"NaN', '')


def test_bars_are_as_long_as_their_values_and_stand_where_their_names_are(figures):
    figure = figures['category_frequency']
    for narrow in (False, True):
        axes = plotting._canvas(figure, assign([figure]), narrow=narrow).axes[0]
        names = [t.get_text() for t in (axes.get_yticklabels() if narrow else
                                        axes.get_xticklabels())]
        for bars, series in zip(axes.containers, figure.series):
            for bar, name, value in zip(bars, series.x, series.y):
                start, size = ((bar.get_y(), bar.get_height()) if narrow else
                               (bar.get_x(), bar.get_width()))
                assert names[round(start + size / 2)] == name
                assert (bar.get_width() if narrow else bar.get_height()) == pytest.approx(value)


@settings(max_examples=10)
@given(st.text(st.characters(codec='utf-8', exclude_categories=('Cc', 'Cs', 'Cn', 'Co')),
               min_size=1, max_size=20).filter(str.strip))
def test_any_label_can_be_drawn(label):
    figure = _figure([label], ['<script> & $x$'], key='any')
    with plotting._settings(figure, narrow=True):
        svg = plotting._svg(plotting._canvas(figure, assign([figure]), narrow=True))
    svg = inline(svg, 'p', label, label)
    root = ElementTree.fromstring(svg.replace('xlink:', ''))
    assert not [e for e in root.iter() if e.tag.endswith('script')]
    assert '<script> & $x$' in [e.text for e in root.iter()]


def test_inline_svgs_share_no_id_and_follow_the_page(plots):
    svg = plots['layers'].wide
    one, two = (inline(svg, prefix, 'A title', 'A text') for prefix in ('one', 'two'))
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, two)]
    assert ids[0] and not ids[0] & ids[1]
    for used in re.findall(r'(?:href="#|url\(#)([^")]+)', one):
        assert used in ids[0]
    assert '#0072b2' in svg and re.search(r'var\(--fig-c0, #0072b2\)', one)
    # Every colour may change with the page.
    assert not re.search(r'(?<!, )#[0-9a-f]{6}\b', one)


@pytest.mark.parametrize('figure', [_figure(['a'], kind='pie'), _figure(
    ['a'], kind='bars', right=[Series('b', [1], [1.0])])])
def test_what_cannot_be_drawn_is_refused(figure):
    with pytest.raises(ValueError, match="'lines' and 'bars'"):
        plot(figure, assign([figure]))
