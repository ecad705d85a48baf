"""A method's name stands in the table of its kind, and nothing asks for it."""
import ast
import re
from pathlib import Path

import mmlth
from mmlth.core.drawing.allocations import ALLOCATIONS
from mmlth.core.drawing.scores import SCORES

ROOT = Path(mmlth.__file__).parent
TABLES = ('core/drawing/scores.py', 'core/drawing/allocations.py')
# 'random' and 'global' are words of many things.
NAMES = {*SCORES, *ALLOCATIONS} - {'random', 'global', 'magnitude'}
PATTERN = re.compile(r'\d+:\d+')


def constants(path):
    """The string constants of a module, less docstrings, defaults of arguments, keys and texts."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    left_out = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(node.value)
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            left_out.update(filter(None, [*node.args.defaults, *node.args.kw_defaults]))
        if isinstance(node, ast.Subscript):
            left_out.add(node.slice)
        if isinstance(node, ast.FormattedValue):
            left_out.add(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in left_out:
            yield node.lineno, node.value


def test_nothing_asks_for_the_name_of_a_score_or_an_allocation():
    # A benchmark says what it measures, as a config does.
    found = [f'{path.relative_to(ROOT)}:{line}: {value!r}'
             for path in sorted(ROOT.rglob('*.py'))
             if path.relative_to(ROOT).as_posix() not in TABLES
             and not {'.mim', 'benchmark'} & set(path.parts)
             for line, value in constants(path) if value in NAMES or PATTERN.fullmatch(value)]
    assert not found, '\n'.join(found)
