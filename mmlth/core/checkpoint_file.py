"""Read what torch.save has written, as data."""
import os
import pickle
import tarfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator, List

import torch
from safetensors.torch import load_file

from . import archive, unpickler
from .errors import UserError
from .files import AnyPath
from .unknown import Unknown

_ZIP = b'PK\x03\x04'
# Of files older than torch 1.6: torch's magic number, pickled.
_LEGACY = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'
_FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'    # it would forbid a pickle module, the strictest too


def load(path: AnyPath, map_location: Any = 'cpu') -> Any:
    """The content of a file of ``torch.save``, or of safetensors, with nothing of it being run.

    Objects of classes that :mod:`~mmlth.core.unpickler` does not know become
    :class:`~mmlth.core.unknown.Unknown`.

    Args:
        path: The file.
        map_location: As ``torch.load`` has it; ``'meta'`` reads no values and takes no memory.
            Default: ``'cpu'``.

    Raises:
        UserError: It is missing, damaged, or no such file.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise UserError(f'there is no checkpoint {path}')
        if path.suffix == '.safetensors':
            return load_file(str(path))
        reader = _reader(path)
        with _without(_FORCE):
            return torch.serialization.load(str(path), map_location, reader)
    except UserError:
        raise
    except Exception as error:      # an unpickler raises whatever the damage makes of it
        reason = (str(error).strip() or '-').splitlines()[0][:200]
        raise UserError(f'{path} cannot be read as a checkpoint: {type(error).__name__}: '
                        f'{reason}') from None


def drop_unknown(value: Any, where: str = '') -> List[str]:
    """Remove, in place, the entries of nested dicts whose values are Unknown or contain some.

    Args:
        value: Nested dicts and lists; of an Unknown in a list or tuple the whole goes.
        where: The name of ``value``. Default: none.

    Returns:
        list[str]: What was removed: ``'a.b (module.Class object)'``.
    """
    names: List[str] = []
    for key in list(value) if isinstance(value, dict) else []:
        place, inner = f'{where}.{key}' if where else str(key), value[key]
        found = _first_unknown(inner)
        if found is not None:
            names.append(f'{place} ({found!r})')
            del value[key]
        elif isinstance(inner, (dict, list)):
            names += drop_unknown(inner, place)
    for number, inner in enumerate(value if isinstance(value, list) else []):
        names += drop_unknown(inner, f'{where}.{number}')
    return names


def _first_unknown(value: Any) -> Any:
    """The Unknown in a value that is no dict, nor a list of dicts; else None."""
    if isinstance(value, Unknown):
        return value
    inner = value if isinstance(value, (list, tuple, set, frozenset)) else ()
    return next((found for found in map(_first_unknown, inner) if found is not None), None)


def _reader(path: Path) -> SimpleNamespace:
    """The pickle module for a file, if torch.load takes it for one of the two that it writes.

    Others it would run, or unpack: TorchScript archives, and the tar files of torch < 0.1.10,
    which may begin with anything.
    """
    with open(path, 'rb') as file:
        start = file.read(len(_LEGACY))
    if start.startswith(_ZIP):
        return unpickler.module(archive.records(path))
    if start != _LEGACY or tarfile.is_tarfile(path):
        raise pickle.UnpicklingError('torch.save has not written it, or it is damaged')
    return unpickler.module()


@contextmanager
def _without(variable: str) -> Iterator[None]:
    before = os.environ.pop(variable, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[variable] = before
