"""The core is plain PyTorch: it can be used, and tested, without OpenMMLab."""
import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import mmlth.core

CORE = Path(mmlth.core.__file__).parent
MODULES = [m.name for m in pkgutil.walk_packages([str(CORE)], 'mmlth.core.')]

PROGRAM = '''
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*(m for m in sys.modules if m.startswith('mm') and m != 'mmap'))
'''


def test_no_mm_package_is_imported():
    """In a process of its own: here the tests themselves have imported them."""
    found = subprocess.run([sys.executable, '-c', PROGRAM, 'mmlth.core', *MODULES],
                           capture_output=True, text=True, check=True).stdout.split()
    assert set(MODULES) <= set(found)
    # The package looks up the versions of what is installed, and imports none of it.
    allowed = {'mmlth', 'mmlth.versions', 'mmlth.core', *MODULES}
    assert set(found) - allowed == set()


def imports(path):
    """The absolute names that a module of mmlth.core imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ['mmlth', 'core', *path.relative_to(CORE).parts][:-node.level]
            yield '.'.join([*(package if node.level else ()), node.module or ''])


def test_no_module_of_the_core_reaches_beyond_it():
    """Functions import too: the test above sees only what runs on import."""
    for path in CORE.rglob('*.py'):
        for name in imports(path):
            beyond = name.startswith('mm') and not name.startswith('mmlth.core')
            assert not beyond, f'{path.name} imports {name}'


def test_all_names_are_there():
    assert sorted(mmlth.core.__all__) == mmlth.core.__all__ == sorted(set(mmlth.core.__all__))
    assert all(hasattr(mmlth.core, name) for name in mmlth.core.__all__)
