"""Packages of users on the import path, which are gone again afterwards."""
import sys
from contextlib import contextmanager

from mmengine.registry import HOOKS

from mmlth.registry import ALLOCATIONS, ANALYSES, SCORES, STARTS, UPDATES

REGISTRIES = (ALLOCATIONS, ANALYSES, HOOKS, SCORES, STARTS, UPDATES)


@contextmanager
def on_the_path(folder, package):
    """Let ``package`` be installed: it lies in ``folder``. Nothing of it is imported here."""
    for registry in REGISTRIES[:2] + REGISTRIES[3:]:
        registry.import_from_location()
    before = [dict(registry.module_dict) for registry in REGISTRIES]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for registry, known in zip(REGISTRIES, before):
            for name in set(registry.module_dict) - set(known):
                del registry.module_dict[name]
        for name in [name for name in sys.modules if name.split('.')[0] == package]:
            del sys.modules[name]
