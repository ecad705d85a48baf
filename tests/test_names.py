"""The name of a method stands in its own module and in the table of built-ins alone."""
import ast
import re
from pathlib import Path
from typing import Iterator, Tuple

import pytest

import mmlth
from mmlth.core import CONTROLS
from mmlth.registry import ALLOCATIONS, SCORES, STARTS, UPDATES

ROOT = Path(mmlth.__file__).parent
# Where they are at home; a benchmark chooses methods, as configs do.
OWN = ('engine/starts/', 'engine/updates/', 'core/drawing/', 'benchmark/')
# Words that mean other things too.
COMMON = {'weights', 'lr', 'dense', 'random', 'magnitude', 'global', 'compute'}
PATTERN = re.compile(r'\d+:\d+')   # the names of N:M allocations
SETTING = re.compile(r'\b(control|mode|score|allocation|update|method)\b')


def names():
    """Of all built-in methods."""
    for registry in (STARTS, UPDATES, SCORES, ALLOCATIONS):
        registry.import_from_location()
    own = {name for registry in (STARTS, UPDATES, SCORES, ALLOCATIONS)
           for name, method in registry.module_dict.items() if is_ours(method)}
    return own | set(CONTROLS)


def is_ours(method) -> bool:
    return getattr(method, '__wrapped__', method).__module__.startswith('mmlth.')


def constants(tree: ast.AST) -> Iterator[Tuple[int, str, str]]:
    """Line, value, and the comparison it stands in (or ''), of each string but docstrings."""
    compared = {id(part): ast.unparse(node) for node in ast.walk(tree)
                if isinstance(node, ast.Compare) for part in ast.walk(node)}
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.lineno, node.value, compared.get(id(node), '')


def told(tree: ast.AST, own: set) -> Iterator[str]:
    """The places that know a method by its name."""
    for line, value, comparison in constants(tree):
        if (value in own - COMMON or PATTERN.fullmatch(value)
                or value in own and SETTING.search(comparison)):
            yield f'{line}: {value!r}'


def test_the_names_are_all_there():
    assert {'weights', 'finetune', 'signs', 'rigl', 'gradual', 'random_mask', 'snip', 'erk',
            *COMMON} <= names()


def test_no_module_knows_a_method_of_another_by_name():
    own, found = names(), []
    for path in sorted(ROOT.rglob('*.py')):
        place = path.relative_to(ROOT).as_posix()
        if not place.startswith(OWN):
            found += [f'{place}:{line}' for line in told(ast.parse(path.read_text()), own)]
    assert found == []


def test_nothing_is_compared_with_a_name_where_it_is_at_home():
    own = names()
    for folder in OWN:
        for path in (ROOT / folder).glob('*.py'):
            found = [text for _, value, text in constants(ast.parse(path.read_text()))
                     if value in own and text]
            assert found == [], path


@pytest.mark.parametrize('line', [
    "if spec.mode == 'lr': pass", "x = {'erk': 1}", "f(settings['score'] in ('random', 'snip'))",
    "update = dict(type='rigl')", "if allocation == '2:4': pass"])
def test_a_planted_name_is_found(line):
    assert list(told(ast.parse(line), names()))
    harmless = "'''rigl'''\nlr = group['lr']\nif key != 'dense': pass"
    assert not list(told(ast.parse(harmless), names()))
