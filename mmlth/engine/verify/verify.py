"""Choose the checks for what is at a path."""
import os
from pathlib import Path
from typing import List

from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath

from .checkpoint import check_checkpoint
from .folder import check_folder
from .lottery import check_lottery
from .ticket import check_ticket
from .violation import Violation


def verify(path: AnyPath) -> List[str]:
    """Check every invariant on what is on disk at ``path``.

    Args:
        path: The work dir of a lottery (or its ``lottery.json``), the folder of a round or
            of any training, a ticket (``.safetensors``) or a checkpoint (``.pth``).

    Returns:
        list[str]: What was checked, a line per file, named relative to ``path``.

    Raises:
        Violation: The first invariant that does not hold, with file, parameter and
            numbers; or there is nothing to check.
    """
    path = Path(os.path.abspath(path))     # a folder is known by its name
    if path.name == paths.LOTTERY:
        path = path.parent
    root = path if path.is_dir() else path.parent
    try:
        lines = _check(path)
    except Violation:
        raise
    except UserError as error:
        raise Violation(str(error)) from None
    return [line.removeprefix(f'{root}/') for line in lines]


def _check(path: Path) -> List[str]:
    if path.is_dir():
        has_chain = (path / paths.LOTTERY).exists()
        lines = check_lottery(path) if has_chain else check_folder(path)[0]
        if lines:
            return lines + _leftovers(path)
    elif path.is_file() and path.suffix == '.safetensors':
        return [f'{path}: {check_ticket(path)[0]}']
    elif path.is_file() and path.suffix == '.pth':
        return [f'{path}: {check_checkpoint(path)[0]}']
    raise Violation(
        f'nothing to verify at {path}: expected the work dir of a lottery (with '
        f'{paths.LOTTERY}), the folder of a training with checkpoints, a ticket '
        '(.safetensors) or a checkpoint (.pth)')


def _leftovers(folder: Path) -> List[str]:
    return [f'note: {path.relative_to(folder)} is left of an interrupted write and may be '
            'deleted' for path in sorted(folder.rglob('.*.part'))]
