"""Dotted keys of a config: ``--cfg-options``, and the settings of studies."""
from typing import Any, Mapping

from mmengine.config import Config

from mmlth.core.errors import UserError


def value_at(cfg: Config, key: str) -> Any:
    """The value at a dotted key; None where there is none.

    Raises:
        UserError: The key leads through something that has no parts: a number, a None, the end of
            a list.
    """
    value, way = cfg, []    # type: Any, list
    for step in key.split('.'):
        where = '.'.join(way)
        if isinstance(value, list):
            if not step.isdecimal() or int(step) >= len(value):
                raise UserError(f'{key}: {where} is a list of {len(value)}, which has no {step!r} '
                                '(the first is 0)')
            value = value[int(step)]
        elif isinstance(value, (dict, Config)):
            if step not in value:
                return None
            value = value[step]
        else:
            raise UserError(f'{key}: {where} is {value!r}, which has no {step!r}: set {where} as a '
                            'whole')
        way.append(step)
    return value


def set_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Merge values into a config at their dotted keys; nothing is merged into a None.

    Raises:
        UserError: As :func:`value_at`, or what is there cannot be merged with the value.
    """
    for key, value in options.items():
        *way, last = key.split('.')
        parent = value_at(cfg, '.'.join(way)) if way else cfg
        if isinstance(parent, (dict, Config)) and isinstance(value, dict):
            make_room(parent, {last: value})
        there = value_at(cfg, key)
        try:
            cfg.merge_from_dict({key: value})
        except (AttributeError, KeyError, TypeError) as error:
            raise UserError(f'{key} is {there!r} and cannot become {value!r}: {error}') from None


def make_room(cfg: dict, override: Mapping[str, Any]) -> None:
    """Remove what is None and is to become something: nothing is merged into None."""
    for key, value in override.items():
        if key in cfg and cfg[key] is None:
            cfg.pop(key)
        elif isinstance(value, dict) and isinstance(cfg.get(key), dict):
            make_room(cfg[key], value)
