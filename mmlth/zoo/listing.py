"""The configs that an installed library ships."""
import re
from pathlib import Path
from typing import List

from mmengine.utils import get_installed_path

from mmlth.core.errors import UserError

_PARTS = {'_base_', '__pycache__'}


def library_root(library: str) -> Path:
    """Where the library's ``configs`` folder is: paths inside its configs start here.

    Raises:
        UserError: The library is not installed, or ships no configs.
    """
    try:
        root = Path(get_installed_path(library)) / '.mim'
    except Exception:
        raise UserError(f'there is no installed package {library!r}') from None
    if not (root / 'configs').is_dir():
        raise UserError(f'{library} ships no configs: {root / "configs"} does not exist')
    return root


def list_configs(library: str, pattern: str = '') -> List[str]:
    """The names of all config files outside the ``_base_`` folders, sorted.

    Args:
        library: ``'mmdet'`` or ``'mmpose'``.
        pattern: A regular expression that is searched in the names. Default: all.

    Raises:
        UserError: The pattern is no regular expression, or as :func:`library_root`.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise UserError(f'{pattern!r} is no regular expression: {error}') from None
    folder = library_root(library) / 'configs'
    names = (path.relative_to(folder) for path in folder.rglob('*.py'))
    return sorted(name.as_posix() for name in names
                  if not _PARTS & set(name.parts) and wanted.search(name.as_posix()))
