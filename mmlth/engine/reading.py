"""Read checkpoints from wherever mmengine finds them, and see that what was written can be read."""
import hashlib
import shutil
import tempfile
from contextlib import contextmanager
from logging import Logger
from pathlib import Path
from typing import Any, Callable, Iterator, List, Tuple

import torch
from mmengine.runner.checkpoint import _load_checkpoint

from mmlth.core import checkpoint_file
from mmlth.core import state as states
from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath
from mmlth.core.state import trained_weights


def read_checkpoint(address: AnyPath, map_location: Any = 'cpu') -> Any:
    """The content of a checkpoint, read as data; see :func:`mmlth.core.checkpoint_file.load`.

    Args:
        address: A path, a URL or anything else that mmengine loads.
        map_location: As ``torch.load`` has it. Default: ``'cpu'``.

    Raises:
        UserError: There is no such file, or it is damaged.
    """
    if '://' not in str(address):
        return checkpoint_file.load(Path(address).expanduser(), map_location)
    with _as_data():
        return _load_checkpoint(str(address), map_location)


def read_with_digest(address: AnyPath) -> Tuple[Any, str]:
    """The content of a checkpoint, as :func:`read_checkpoint`, and the SHA-256 of its bytes."""
    if '://' not in str(address):
        path = Path(address).expanduser()
        return checkpoint_file.load(path), file_digest(path)
    digests: List[str] = []
    with _as_data(lambda path: digests.append(file_digest(path))):
        return _load_checkpoint(str(address), 'cpu'), digests[-1]


def file_digest(path: AnyPath) -> str:
    """SHA-256 of a file's bytes."""
    sha = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(2**20):
            sha.update(block)
    return sha.hexdigest()


def check_written(path: AnyPath, name: str, logger: Logger) -> None:
    """Read a checkpoint that was just written, without its values; warn of what is lost.

    Raises:
        UserError: It cannot be read.
    """
    try:
        checkpoint = checkpoint_file.load(path, 'meta')
    except UserError as error:
        reason = str(error).replace(str(path), name)
        raise UserError(
            f'what was just written cannot be read back, so that no ticket could start from it and '
            f'no training be resumed: {reason}. Let hooks, schedulers and the data set '
            'keep their state as plain values, arrays of numbers and tensors.') from None
    _, others = states.extra_states(trained_weights(checkpoint))
    if others:
        logger.warning(
            f'{name}: the extra state of {", ".join(others)} is not of the plain values that a '
            'ticket can hold; in a ticket these modules start with that of a new model.')
    lost = drop_unreadable(checkpoint)
    if lost:
        logger.warning(
            f'{name}: objects of unknown classes are not read from files. A training resumed from '
            f'it goes on without {", ".join(lost[:5])}{", ..." if len(lost) > 5 else ""}.')


def drop_unreadable(checkpoint: dict) -> List[str]:
    """Remove what a resumed training cannot be given; return what of it is a loss.

    Schedulers note functions of their class, which the new scheduler has too. In ``meta``
    nothing is needed but numbers.
    """
    return [name for name in checkpoint_file.drop_unknown(checkpoint)
            if not name.startswith('meta.') and (
                not name.startswith('param_schedulers.') or name.endswith(' object)'))]


@contextmanager
def _as_data(look: Callable[[str], Any] = lambda path: None) -> Iterator[None]:
    """All of mmengine's loaders, and torch's of URLs, end in ``torch.load``: here in ours.

    ``look`` is called with the path of each file that is loaded.
    """
    def load(f: Any, map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        if isinstance(f, (str, Path)):
            look(str(f))
            return checkpoint_file.load(f, map_location)
        with tempfile.NamedTemporaryFile(suffix='.pth') as copy:
            shutil.copyfileobj(f, copy)
            copy.flush()
            return load(copy.name, map_location)

    original = torch.load
    try:
        torch.load = load
        yield
    finally:
        torch.load = original
