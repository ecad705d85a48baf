"""Who may import whom: the table of layers, against all imports, also those in functions."""
import ast
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, NamedTuple, Tuple

import pytest

import mmlth

ROOT = Path(mmlth.__file__).resolve().parents[1]
# What goes up on purpose: mmlth.sparse.load is the documented name of what builds a model.
ALLOWED = {('mmlth.sparse', 'mmlth.engine.packed')}


class Layers(NamedTuple):
    """The layers of a package, the lowest first, each of names in it.

    A module imports what is in its own name or in a lower layer.

    Args:
        package: E.g. ``'mmlth'``.
        rows: ``'*'`` in a row stands for all names that no row has; those of such a row may
            import each other.
    """
    package: str
    rows: Tuple[FrozenSet[str], ...]


def layers(package: str, *rows: str) -> Layers:
    return Layers(package, tuple(frozenset(row.split()) for row in rows))


TABLE = [
    layers('mmlth', 'core metrics paper versions',
           'compat registry transfer report structured sparse', 'models datasets engine',
           'analysis zoo benchmark', 'studies'),
    # What one training needs: specs, starts, sources and updates of masks know no hook.
    layers('mmlth.engine', '*', 'hooks', 'evaluation from_checkpoint preview',
           'packed pruned_model', 'chain', 'verify'),
    layers('mmlth.analysis', 'found', 'measure', 'compare', 'sections', 'imports',
           'analyze connectivity'),
    # No section imports another: what two of them need lies below.
    layers('mmlth.analysis.sections', ' '.join(
        path.stem for path in (ROOT / 'mmlth/analysis/sections').glob('[!_]*.py')))]


def modules(root: Path) -> Dict[str, Path]:
    """All modules of mmlth by name."""
    found = {}
    for path in sorted((root / 'mmlth').rglob('*.py')):
        parts = path.relative_to(root).with_suffix('').parts
        found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


def imports(name: str, path: Path, known: Dict[str, Path]) -> Iterator[str]:
    """The modules that a module imports, at any depth of its code."""
    package = name if path.name == '__init__.py' else name.rpartition('.')[0]
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split('.')[:len(package.split('.')) - node.level + 1] * bool(node.level)
            source = '.'.join([*base, *filter(None, [node.module])])
            yield from (inner if (inner := f'{source}.{alias.name}') in known else source
                        for alias in node.names)


def violations(table: Layers, root: Path = ROOT) -> List[str]:
    """Each import that the table does not allow, and each name that it lacks."""
    known, found = modules(root), []
    listed = {name for row in table.rows for name in row}

    def child(module: str) -> str:
        return module[len(table.package) + 1:].partition('.')[0] if (
            module.startswith(f'{table.package}.')) else ''

    def rank(name: str) -> int:
        name = name if name in listed else '*'
        return next((k for k, row in enumerate(table.rows) if name in row), -1)
    for module, path in known.items():
        own = child(module)
        if own and rank(own) < 0:
            found.append(f'{module} is in no layer')
        for target in imports(module, path, known) if own else ():
            other = child(target)
            if not other or other == own or (module, target) in ALLOWED:
                continue
            free = rank(other) == rank(own) and '*' in table.rows[rank(own)]
            if rank(other) >= rank(own) and not free:
                found.append(f'{module} imports {target}')
    return found


@pytest.mark.parametrize('table', TABLE, ids=lambda table: table.package)
def test_no_module_imports_what_lies_above_it(table):
    assert violations(table) == []


def test_the_tools_are_on_top():
    known = modules(ROOT)
    for name, path in known.items():
        assert not [t for t in imports(name, path, known) if t.split('.')[0] == 'tools']


@pytest.mark.parametrize('line', [
    'from mmlth.b.y import f', 'import mmlth.b.y', 'from ..b import y', 'from ..b.y import f',
    'def f():\n    from mmlth.b import y\n    return y'])
def test_a_planted_import_is_found(tmp_path, line):
    for name, text in {'a/x': line, 'a/z': 'from .x import f', 'b/y': 'from mmlth.a import z',
                       'c/w': ''}.items():
        path = tmp_path / 'mmlth' / f'{name}.py'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert violations(layers('mmlth', 'a', 'b', 'c'), tmp_path) == ['mmlth.a.x imports mmlth.b.y']
    assert violations(layers('mmlth', 'b', 'a', 'c'), tmp_path) == ['mmlth.b.y imports mmlth.a.z']
    assert 'mmlth.a.x imports mmlth.b.y' in violations(layers('mmlth', 'a b', 'c'), tmp_path)
    assert violations(layers('mmlth', '* c'), tmp_path) == []
    assert violations(layers('mmlth', '*', 'b c'), tmp_path) == ['mmlth.a.x imports mmlth.b.y']
    assert violations(layers('mmlth', 'b', 'a'), tmp_path)[-1] == 'mmlth.c.w is in no layer'
