"""What a setting names is found: by name, by path, with arguments; a mistake is one sentence."""
from functools import partial
from statistics import fmean

import pytest
from mmengine.registry import Registry

from mmlth.core.errors import UserError
from mmlth.engine.starts import Signs
from mmlth.registry import STARTS, find, label_of, noted, path_of, written

METHODS = Registry('method', scope='mmlth')


@METHODS.register_module()
class Halving:
    def __init__(self, by: int = 2):
        self.by = by


@METHODS.register_module(name='half')
def half(value, by=2):
    return value / by


class Called:
    def __call__(self, value):
        return value


def test_a_function_by_its_name_with_and_without_scope():
    assert find(METHODS, 'half') is find(METHODS, 'mmlth.half') is half
    assert find(METHODS, half) is half
    found = find(METHODS, dict(type='half', by=4))
    assert isinstance(found, partial) and found(8) == 2


def test_a_class_with_arguments_is_built():
    assert find(METHODS, dict(type='Halving', by=8)).by == 8
    assert find(METHODS, dict(type=Halving)).by == 2


def test_what_nobody_registered_has_a_path():
    assert find(METHODS, 'statistics.fmean')([1, 3]) == 2


@pytest.mark.parametrize('named', ['thrid', 'mmlth.thrid', 'no_package.mod.fn', 'statistics.nil',
                                   3, None, dict(by=2), dict(type='thrid')])
def test_an_unknown_name_lists_the_known(named):
    with pytest.raises(UserError, match='unknown method .*expected one of: Halving, half.*'
                       'custom_imports'):
        find(METHODS, named)


@pytest.mark.parametrize('kind', ['half', 'Halving'])
def test_an_unknown_argument_is_named(kind):
    with pytest.raises(UserError, match=f"method '{kind}': .*unexpected keyword argument 'bye'"):
        find(METHODS, dict(type=kind, bye=2))


@pytest.mark.parametrize('named', ['Halving', 'mmlth.Halving', f'{__name__}.Halving', Halving,
                                   str(Halving), dict(type='Halving', by=3)])
def test_what_files_note_is_looked_up(named):
    assert noted(METHODS, named) is Halving and label_of(METHODS, named) == 'Halving'


def test_a_label_stands_for_the_name(monkeypatch):
    for label, text in (('halved', 'halved'), ('', ''), (None, 'half')):
        monkeypatch.setattr(Halving, 'label', label, raising=False)
        monkeypatch.setitem(METHODS.module_dict, 'half', Halving)
        assert label_of(METHODS, 'half') == text
    assert noted(METHODS, 'statistics.Halving') is None   # of another package
    assert noted(METHODS, 'statistics.fmean') is None     # nothing is imported for it
    assert label_of(METHODS, 'statistics.fmean') == 'fmean'


def test_what_a_dumped_config_says_is_found_again():
    assert written(METHODS, 'half') == 'half' and written(METHODS, None) is None
    assert written(METHODS, dict(type=fmean, by=3)) == dict(type='statistics.fmean', by=3)
    assert written(METHODS, half) == f'{__name__}.half'
    assert find(METHODS, written(METHODS, fmean)) is fmean
    assert written(METHODS, partial(fmean, weights=None)) == dict(
        type='statistics.fmean', weights=None)
    assert written(METHODS, dict(type=partial(half, by=3), whole=1)) == dict(
        type=f'{__name__}.half', by=3, whole=1)
    assert path_of(partial(fmean, weights=None)) == 'statistics.fmean'
    assert written(STARTS, Signs) == 'signs'


@pytest.mark.parametrize('method', [partial(half, 3), Called()])
def test_what_no_config_can_name_is_refused(method):
    with pytest.raises(UserError, match='is an object, which no config can name'):
        written(METHODS, method)
