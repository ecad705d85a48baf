"""Read what torch.save has written, as data."""
import os
import pickle
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List

import torch
from safetensors.torch import load_file

from . import unpickler
from .errors import UserError
from .files import AnyPath
from .unpickler import Unknown

# Of files older than torch 1.6: torch's magic number, pickled.
_LEGACY = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'
_FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'    # it would forbid a pickle module, the strictest too


def load(path: AnyPath, map_location: Any = 'cpu') -> Any:
    """The content of a file of ``torch.save``, or of safetensors, with nothing of it being run.

    Objects of classes that :mod:`~mmlth.core.unpickler` does not know become
    :class:`~mmlth.core.unpickler.Unknown`.

    Args:
        path: The file.
        map_location: As ``torch.load`` has it; ``'meta'`` reads no values and takes no memory.
            Default: ``'cpu'``.

    Raises:
        UserError: It is missing, damaged, or no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'there is no checkpoint {path}')
    try:
        if path.suffix == '.safetensors':
            return load_file(str(path))
        _check_form(path)
        with _without(_FORCE):
            return torch.serialization.load(str(path), map_location, unpickler.MODULE)
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


def _check_form(path: Path) -> None:
    """What torch.load would take for something else, or unpack to more than its bytes."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            if any(Path(name).name == 'constants.pkl' for name in file.namelist()):
                raise ValueError('it is a TorchScript archive, a program: save a state_dict')
            # torch.save compresses nothing; what expands could take all memory.
            if any(entry.file_size > entry.compress_size for entry in file.infolist()):
                raise ValueError('it is compressed')
        return
    with open(path, 'rb') as file:
        if file.read(len(_LEGACY)) != _LEGACY:
            raise pickle.UnpicklingError('torch.save has not written it, or it is damaged')


@contextmanager
def _without(variable: str) -> Iterator[None]:
    before = os.environ.pop(variable, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[variable] = before
