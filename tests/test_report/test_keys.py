"""Keys of figures: file names made of any text, none twice."""
import re

from hypothesis import given
from hypothesis import strategies as st

from mmlth.report import Figure, Picture, Section
from mmlth.report.keys import keys_apart, slug
from mmlth.report.write import check_sections


def section(key, figures=(), pictures=()):
    return Section(key, 'A title', '', figures=[Figure(key, 'lines', '', '', '', [])
                                                for key in figures],
                   pictures=[Picture(key, b'', '') for key in pictures])


def test_a_key_is_readable():
    assert slug('sparsity', 'Faster R-CNN R18, VOC', 'detection') == (
        'sparsity-faster-r-cnn-r18-voc-detection')
    assert slug('sample', 'R18, größe', '图片1', -3) == 'sample-r18-grosse-1-3'


@given(st.lists(st.lists(st.one_of(st.text(max_size=60), st.integers()), max_size=4), max_size=6))
def test_any_texts_have_keys_that_can_be_written(names):
    keys = [slug('a', *parts) for parts in names]
    assert all(re.fullmatch('[a-z0-9-]{1,120}', key) for key in keys)
    first, second = section('x', keys, keys), section('y', keys)
    keys_apart([first])
    keys_apart([second], [first])
    check_sections([first, second])


def test_what_is_there_already_gets_a_number_that_is_not():
    first, second = section('x', ['a', 'A-2']), section('y', ['a', 'b', 'a'])
    keys_apart([second], [first])
    assert [figure.key for figure in first.figures + second.figures] == [
        'a', 'A-2', 'a-3', 'b', 'a-4']
