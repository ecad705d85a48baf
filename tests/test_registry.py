"""What a setting names is found: by name, by path, with arguments; a mistake is one sentence."""
from functools import partial

import pytest
from mmengine.registry import Registry

from mmlth.core.errors import UserError
from mmlth.registry import find

METHODS = Registry('method', scope='mmlth')


@METHODS.register_module()
class Halving:
    def __init__(self, by: int = 2):
        self.by = by


@METHODS.register_module(name='half')
def half(value, by=2):
    return value / by


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
