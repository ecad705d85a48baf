"""Our hooks in a config, found by their class: a subclass counts, with its own defaults."""
import copy
import inspect
from dataclasses import fields
from typing import Any, Dict, Iterator, List, Optional, Tuple

from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmlth.core.errors import UserError

from .types import class_of_config

# Default hooks of its Runner.
_OF_MMENGINE = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
# Arguments that a LotteryRunner sets, and a file's name.
_PLACE = ('round', 'rewind', 'start', 'out')


def class_of(cfg: Config, hook: Any) -> Optional[type]:
    """The class of a hook in a config; None for a hook that is None or of an unknown name."""
    if isinstance(hook, Hook):
        return type(hook)
    if not isinstance(hook, dict):
        return None
    return class_of_config(HOOKS, hook, cfg.get('default_scope'))


def find_hook(cfg: Config, kind: type) -> Optional[ConfigDict]:
    """The config of the hook of this class, in ``default_hooks`` or ``custom_hooks``.

    Returns:
        The dict in the config, not a copy; None if there is no such hook.

    Raises:
        UserError: There are several, or it is an object, whose arguments cannot be read.
    """
    found = _find(cfg, kind)
    return None if found is None else found[0]


def default_hooks(cfg: Config) -> ConfigDict:
    """The config's own ``default_hooks``, which it may have left out."""
    cfg.default_hooks = cfg.get('default_hooks') or {}
    return cfg.default_hooks


def hooks_of(cfg: Config, kind: type) -> List[Any]:
    """What the config has of the hooks of this class: dicts, not copies, or objects."""
    return [hook for _, hook, _ in _of_kind(cfg, kind)]


def build_hook(cfg: Config, kind: type, **more: Any) -> Optional[Any]:
    """The config's hook of this class, as a Runner would build it; None if there is none.

    What it was set to is in its ``given``: all arguments of ``kind`` by name, those that the
    config leaves out with the defaults of the hook's own class.

    Args:
        cfg: The whole config.
        kind: The class.
        more: Further arguments, over the config's.

    Raises:
        UserError: There are several, or an argument is unknown or wrong.
    """
    found = _find(cfg, kind)
    if found is None:
        return None
    hook, own = found
    given = {key: copy.deepcopy(value) for key, value in hook.items()
             if key not in ('type', 'priority', '_scope_')}
    try:
        return own(**{**given, **more})
    except TypeError as error:
        raise UserError(f'{own.__name__}: {error}') from None


def drop_hooks(cfg: Config, *kinds: type) -> None:
    """Remove the hooks of these classes from the config, and those that were set to None.

    mmengine takes None for its own default hooks alone, which it leaves out then.
    """
    for key, hook in list((cfg.get('default_hooks') or {}).items()):
        none = hook is None and key not in _OF_MMENGINE
        if none or any(_is_a(cfg, hook, kind) for kind in kinds):
            cfg.default_hooks.pop(key)
    if cfg.get('custom_hooks'):
        cfg.custom_hooks = [hook for hook in cfg.custom_hooks
                            if not any(_is_a(cfg, hook, kind) for kind in kinds)]


def arguments_of(kind: type) -> Dict[str, Any]:
    """The settings of a hook's class with their defaults, also those of the classes it is made of.

    They are its arguments, less those that say where it stands in a chain of rounds and what its
    files are called. An ``__init__`` with ``**kwargs`` passes them on to the next class; a
    default of its own stands before the next class's. Where they end, they are the fields of the
    dataclass that the class names in ``opens``.
    """
    found: Dict[str, Any] = {}
    for part in kind.__mro__:
        if '__init__' not in vars(part):
            continue
        arguments = list(inspect.signature(vars(part)['__init__']).parameters.values())[1:]
        for argument in arguments:
            if argument.kind not in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL) and (
                    argument.name not in _PLACE):
                found.setdefault(argument.name, argument.default)
        if not any(argument.kind == argument.VAR_KEYWORD for argument in arguments):
            break
        for field in fields(vars(part)['opens']) if 'opens' in vars(part) else ():
            found.setdefault(field.name, field.default)
    return found


def _find(cfg: Config, kind: type) -> Optional[Tuple[ConfigDict, type]]:
    """As :func:`find_hook`, with the hook's own class."""
    found = list(_of_kind(cfg, kind))
    if len(found) > 1:
        raise UserError(
            f'this config has {len(found)} hooks of the kind {kind.__name__}: '
            f'{", ".join(where for where, _, _ in found)}. Keep one of them')
    if not found:
        return None
    where, hook, own = found[0]
    if not isinstance(hook, dict):
        raise UserError(f'{where} is an object: give the {kind.__name__} as a dict with its '
                        'type and arguments')
    return hook, own


def _of_kind(cfg: Config, kind: type) -> Iterator[Tuple[str, Any, type]]:
    """Each hook of this class with its place in the config, and its own class."""
    for where, hook in _hooks(cfg):
        own = class_of(cfg, hook)
        if own is not None and issubclass(own, kind):
            yield where, hook, own


def _is_a(cfg: Config, hook: Any, kind: type) -> bool:
    found = class_of(cfg, hook)
    return found is not None and issubclass(found, kind)


def _hooks(cfg: Config) -> Iterator[Tuple[str, Any]]:
    """Each hook with its place in the config."""
    for key, hook in (cfg.get('default_hooks') or {}).items():
        yield f'default_hooks.{key}', hook
    for index, hook in enumerate(cfg.get('custom_hooks') or []):
        yield f'custom_hooks[{index}]', hook
