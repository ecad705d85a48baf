"""Updates by what a hook's ``update`` says."""
import inspect
from typing import Any, Dict, Mapping

from mmlth.core.errors import UserError
from mmlth.registry import UPDATES, find, written

from .base import MaskUpdate


def settings_of(update: Any) -> Dict[str, Any]:
    """An ``update`` as a dict of its ``type`` and arguments, as a dumped config has them."""
    return written(UPDATES, _given(update))


def update_of(update: Any) -> MaskUpdate:
    """The update that a setting names.

    Args:
        update: A name in ``mmlth.registry.UPDATES``, a class, its dotted path, or a dict of its
            ``type`` and arguments.

    Raises:
        UserError: There is none, or it has other arguments.
    """
    given = _given(update)
    kind = find(UPDATES, given.get('type'))
    if not inspect.isclass(kind) or not issubclass(kind, MaskUpdate):
        raise UserError(
            f'update={update!r} is no {MaskUpdate.__module__}.{MaskUpdate.__name__}')
    return find(UPDATES, given)


def _given(update: Any) -> Mapping[str, Any]:
    return update if isinstance(update, Mapping) else dict(type=update)
