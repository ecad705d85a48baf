"""Starts by what a RewindHook's ``mode`` says."""
import inspect
from typing import Any, Mapping, Optional, Type

from mmlth.core.errors import UserError
from mmlth.registry import STARTS, find

from .start import Start


def start_of(mode: Any, length: Optional[str] = None) -> Start:
    """The start that a ``mode`` names.

    Args:
        mode: A name in ``mmlth.registry.STARTS``, a class's dotted path, or a dict of its
            ``type`` and arguments.
        length: An argument of those that have one. Default: None.

    Raises:
        UserError: There is none, or it has other arguments.
    """
    given = dict(mode) if isinstance(mode, Mapping) else dict(type=mode)
    kind = find(STARTS, given.get('type'))
    if not inspect.isclass(kind) or not issubclass(kind, Start):
        raise UserError(f'RewindHook: mode={mode!r} is no {Start.__module__}.{Start.__name__}')
    if length is not None:
        if 'length' not in inspect.signature(kind).parameters:
            raise UserError(f'RewindHook: mode={mode!r} takes no length, got {length!r}')
        given['length'] = length
    return find(STARTS, given)


def kind_of(mode: Any) -> Type[Start]:
    """The class that a ``mode`` named where it was trained; nothing is imported for it.

    :class:`Start` itself, which rewinds, for one that is not here.
    """
    name = mode.get('type') if isinstance(mode, Mapping) else mode
    STARTS.import_from_location()
    # A class is noted as "<class 'package.module.Name'>".
    return STARTS.module_dict.get(str(name).rstrip("'>").rpartition('.')[2], Start)
