"""The page in a real browser: nothing missing, nothing outside, readable, light and dark."""
import os
import shutil

import pytest
from report_sections import all_sections

from mmlth.report import write_report

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')

# Of each text: its contrast, and its size on the screen in px.
TEXTS = '''() => {
  const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const rgba = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = rgba(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement, box = node.getBoundingClientRect();
    if (!walker.currentNode.data.trim() || !box.width || !box.height || box.right < 0) continue;
    const style = getComputedStyle(node), svg = node.closest('svg');
    const [a, b] = [light(rgba(svg ? style.fill : style.color)), light(behind(node))];
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    found.push({text: walker.currentNode.data.trim(), size: parseFloat(style.fontSize) * scale,
                contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)});
  }
  return found;
}'''

# Figures and pictures, and texts that stick out of their figure.
FIGURES = '''() => [...document.querySelectorAll('figure')].map(figure => {
  const shown = [...figure.querySelectorAll('img, svg')].filter(e => e.checkVisibility());
  const box = shown.length ? shown[0].getBoundingClientRect() : {width: 0, height: 0};
  const out = shown.flatMap(e => [...e.querySelectorAll('text')]).filter(text => {
    const t = text.getBoundingClientRect();
    return t.left < box.left - 2 || t.right > box.right + 2 || t.top < box.top - 2
        || t.bottom > box.bottom + 2;
  }).map(text => text.textContent);
  return {id: figure.id, shown: shown.length, width: box.width, height: box.height, out,
          loaded: shown.every(e => e.tagName !== 'IMG' || e.naturalWidth > 0),
          named: shown.every(e => e.alt || e.querySelector('title').textContent)};
})'''


def _missing(what):
    if os.environ.get('CI'):
        pytest.fail(f'{what}: the page must be tested where CI is set')
    pytest.skip(what)


@pytest.fixture(scope='module')
def browser():
    path = os.environ.get('CHROME') or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        _missing(f'no browser found: none of {", ".join(BROWSERS)}, and $CHROME is not set')
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing('the Python package playwright is not installed')
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=path,
                                        args=['--no-sandbox', '--disable-gpu'])
        yield browser
        browser.close()


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    sections = all_sections(tmp_path_factory.mktemp('pictures'))
    folder = tmp_path_factory.mktemp('report')
    page = write_report(sections, folder, 'Lottery tickets')
    # Alone, as it is sent by mail.
    return shutil.move(page, tmp_path_factory.mktemp('alone') / 'report.html')


@pytest.fixture(scope='module', params=[(400, 'light'), (400, 'dark'), (800, 'light'),
                                        (1600, 'light'), (1600, 'dark')], ids=str)
def page(request, browser, report):
    width, scheme = request.param
    page = browser.new_page(viewport=dict(width=width, height=900), color_scheme=scheme)
    page.problems = []
    page.on('console', lambda message: page.problems.append(f'console: {message.text}'))
    page.on('pageerror', lambda error: page.problems.append(f'error: {error}'))
    page.on('requestfailed', lambda request: page.problems.append(f'failed: {request.url}'))
    page.on('request', lambda request: page.problems.append(f'request: {request.url}')
            if request.url != report.as_uri() and not request.url.startswith('data:') else None)
    page.goto(report.as_uri(), wait_until='networkidle')
    # A busy machine still reads the page when nothing has come over the network for a while.
    page.wait_for_load_state('load')
    yield page
    page.close()


def test_no_errors_and_no_requests(page):
    assert page.problems == []
    assert page.evaluate('document.documentElement.lang') == 'en'


def test_no_figure_is_missing(page):
    figures = page.evaluate(FIGURES)
    assert len(figures) == 6
    for figure in figures:
        assert figure['shown'] == 1 and figure['loaded'] and figure['named'], figure
        assert figure['width'] >= 340 and figure['height'] >= 100, figure
        assert figure['out'] == [], figure


def test_the_page_does_not_scroll_sideways(page):
    width = page.viewport_size['width']
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    # Nothing is cut off either: what is wider scrolls inside itself.
    wide = page.evaluate('''[...document.querySelectorAll('main *')].filter(
        e => !e.closest('.table, .image')
            && e.getBoundingClientRect().right > innerWidth + 1).length''')
    assert wide == 0
    if width == 400:
        assert page.evaluate('''(() => { const t = document.querySelector('.table');
            t.scrollLeft = 1000; return t.scrollLeft > 0; })()''')


def test_numbers_of_the_contents_have_room(page):
    # Two digits and a point, in digits of 0.64 em, stand left of the text.
    assert page.evaluate('''(() => { const s = getComputedStyle(document.querySelector('nav ol'));
        return parseFloat(s.paddingLeft) / parseFloat(s.fontSize); })()''') >= 2


def test_lines_of_text_are_no_longer_than_the_eye_follows(page):
    characters = page.evaluate('''Math.max(...[...document.querySelectorAll('p, figcaption')].map(
        e => e.clientWidth / parseFloat(getComputedStyle(e).fontSize) / 0.5))''')
    assert characters <= 95


def test_text_is_readable(page):
    texts = page.evaluate(TEXTS)
    assert len(texts) > 200
    assert {'mAP against sparsity', 'control: random mask', 'mAP (%)'} <= {
        t['text'] for t in texts}
    assert [t for t in texts if t['contrast'] < 4.5] == []
    assert [t for t in texts if t['size'] < 9.5] == []


def test_every_link_has_its_target(page):
    targets = page.evaluate('''[...document.querySelectorAll('a[href^="#"]')].map(
        a => [a.textContent, !!document.getElementById(a.getAttribute('href').slice(1))])''')
    assert len(targets) >= 1 + 2 * 4
    assert all(there for _, there in targets)
    assert page.evaluate('''new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size
        === document.querySelectorAll('[id]').length''')


def test_dark_is_dark_and_lines_are_seen_in_both(page):
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    paper, ink, blue = page.evaluate('''(() => {
        const path = document.querySelector('svg path[style*="stroke: var(--fig-c0"]');
        const style = getComputedStyle(document.body);
        return [style.backgroundColor, style.color, getComputedStyle(path).stroke]; })()''')
    assert (sum(_channels(paper)) < 150) == dark
    assert (sum(_channels(ink)) > 600) == dark
    assert abs(sum(_channels(blue)) - sum(_channels(paper))) > 200


def _channels(colour):
    return [int(part) for part in colour[colour.index('(') + 1:-1].split(',')[:3]]


def test_print_is_black_on_white(page):
    page.emulate_media(media='print')
    try:
        assert page.evaluate('getComputedStyle(document.body).color') == 'rgb(31, 35, 40)'
        assert not page.locator('nav').is_visible()
    finally:
        page.emulate_media(media='screen')
