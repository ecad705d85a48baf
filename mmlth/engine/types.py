"""A ``type`` in a config: a name, a scoped name, a dotted path, or a class."""
import inspect
from typing import Any, List, Mapping, Optional

from mmengine.registry import Registry


def name_of(kind: Any) -> str:
    """The bare name of a type: ``'mmdet.X'``, ``'package.X'`` and the class ``X`` are ``'X'``."""
    return getattr(kind, '__name__', str(kind)).split('.')[-1]


def class_of_type(registry: Registry, kind: Any, scope: Optional[str] = None) -> Optional[type]:
    """The class that a Runner would build of a type.

    Args:
        registry: mmengine's root registry of such classes.
        kind: A name, or a class, which is what pure Python configs have.
        scope: The config's ``default_scope``. Default: None, mmengine's.

    Returns:
        The class; None if there is no such name, or it is no class's.
    """
    if not isinstance(kind, str):
        return kind if inspect.isclass(kind) else None
    # As in a Runner: the default scope first, then mmengine's. A scoped name has its own.
    names = [kind] if '.' in kind or not scope else [f'{scope}.{kind}', kind]
    for name in names:
        try:
            found = registry.get(name)
        except (ImportError, RuntimeError):     # mmengine: "Failed to get"
            continue
        if inspect.isclass(found):
            return found
    return None


def class_of_config(registry: Registry, config: Mapping[str, Any],
                    scope: Optional[str] = None) -> Optional[type]:
    """As :func:`class_of_type`, of the ``type`` of a dict; its ``_scope_`` is before the config's.
    """
    return class_of_type(registry, config.get('type'), config.get('_scope_') or scope)


def bases_of(registry: Registry, cfg: Mapping[str, Any],
             scope: Optional[str] = None) -> List[type]:
    """The class that a config's dict is built as, and those that it is derived from, itself first.

    Args:
        registry: mmengine's root registry of such classes.
        cfg: With its ``type``, and perhaps a ``_scope_`` of its own.
        scope: The config's ``default_scope``. Default: None, mmengine's.

    Returns:
        list[type]: Empty if there is no such class.
    """
    found = class_of_config(registry, cfg, scope)
    return [] if found is None else list(found.__mro__)
