"""The oldest versions that mmlth expects to work with, and a sentence where one is older.

``setup.py`` reads :data:`MINIMUM` too, so nothing but the standard library is imported. Versions
are those of the installed distributions: no package is imported to be asked.
"""
import re
from importlib import metadata
from typing import Dict, Optional, Tuple

# Package -> version. pip is told in an extra only: it would replace builds that belong together.
MINIMUM: Dict[str, str] = {
    'torch': '1.13', 'mmengine': '0.8.4', 'mmcv': '2.0.1', 'mmdet': '3.2.0', 'mmpose': '1.0.0',
    'mmpretrain': '1.2.0'}
# Other names a package is installed under.
_ALIASES = {'mmcv': ('mmcv', 'mmcv-full', 'mmcv-lite')}


def check(*packages: str) -> None:
    """Raise a RuntimeError that names all ``packages`` that are too old.

    One that is not installed is none of them: not every model needs every package. It is no
    ImportError, which mmengine hides when a config's type makes it import this package.
    """
    old = [f'{name} {found} (expected {MINIMUM[name]} or newer)' for name in packages
           if (found := installed(name)) and _numbers(found) < _numbers(MINIMUM[name])]
    if old:
        raise RuntimeError(
            f'mmlth does not work with {" and ".join(old)} of this environment: install a newer '
            'version that belongs to the other packages; the README, "Two commands", names a set '
            'that was tested together.')


def installed(name: str) -> Optional[str]:
    """The version of a package that is installed; None if it is not."""
    for distribution in _ALIASES.get(name, (name,)):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return None


def _numbers(version: str) -> Tuple[int, ...]:
    """``'2.1.0a0+cu118'`` as (2, 1, 0); zeros are added to three numbers."""
    numbers = [int(n) for n in re.split(r'[^\d.]', version)[0].split('.') if n]
    return tuple([*numbers, 0, 0, 0][:3])
