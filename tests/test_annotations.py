"""All that is public has type hints: every parameter, and what is returned."""
import ast
from pathlib import Path
from typing import Iterator, List

import mmlth

PACKAGE = Path(mmlth.__file__).resolve().parent


def missing(source: str) -> List[str]:
    """``'Class.method: parameter'`` of each hint that a module's public functions lack."""
    return list(_missing(ast.parse(source), ''))


def _missing(scope: ast.AST, inside: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.ClassDef) and not node.name.startswith('_'):
            yield from _missing(node, f'{node.name}.')
        elif isinstance(node, ast.FunctionDef) and not _is_private(node.name):
            named = node.args.posonlyargs + node.args.args
            static = any(getattr(d, 'id', '') == 'staticmethod' for d in node.decorator_list)
            named = named[bool(inside) and not static:] + node.args.kwonlyargs
            stars = filter(None, (node.args.vararg, node.args.kwarg))
            yield from (f'{inside}{node.name}: {argument.arg}' for argument in [*named, *stars]
                        if argument.annotation is None)
            if node.returns is None and node.name != '__init__':
                yield f'{inside}{node.name}: return'


def _is_private(name: str) -> bool:
    return name.startswith('_') and not name.endswith('__')


def test_every_public_function_of_the_package_has_its_hints():
    found = {str(path.relative_to(PACKAGE)): lacks for path in sorted(PACKAGE.rglob('*.py'))
             if '.mim' not in path.parts and (lacks := missing(path.read_text(encoding='utf-8')))}
    assert not found


def test_what_is_missing_is_found():
    assert missing('''
def whole(a: int, *b: int, c: int = 0, **d: int) -> None:
    def inner(a): ...
def bare(a, /, b: int, *c, d, **e): ...
def _private(a): ...
class Public:
    def __init__(self, a): ...
    def __call__(self) -> None: ...
    @staticmethod
    def still(a) -> None: ...
    def _private(self, a): ...
class _Hidden:
    def method(self, a): ...
''') == ['bare: a', 'bare: d', 'bare: c', 'bare: e', 'bare: return', 'Public.__init__: a',
         'Public.still: a']
