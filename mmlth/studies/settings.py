"""Settings of a study: what they are called, how they are set, and the names they give."""
import copy
import hashlib
import json
import re
from difflib import get_close_matches
from inspect import signature
from typing import Any, Dict, Iterable, Mapping

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from mmlth.core.errors import UserError
from mmlth.engine import PruneHook, RewindHook
from mmlth.engine.hook_configs import arguments_of, build_hook, find_hook
from mmlth.engine.options import set_options, value_at

# Settings by a short name: those of these hooks. Any other setting is a dotted key of the config.
_OWNER = {name: hook for hook in (PruneHook, RewindHook) for name in arguments_of(hook)}
# Keys that a Runner reads, whether a config has them or not. All others are variables.
_OF_RUNNER = {*signature(Runner.__init__).parameters} - {'self', 'cfg'} | {
    'model_wrapper_cfg', 'find_unused_parameters', 'sync_bn', 'compile', 'activation_checkpointing',
    'efficient_conv_bn_eval', 'runner_type', 'latency'}
_LONGEST = 255      # bytes of a file's name; a letter that is not ASCII has up to four
_SOURCE = re.compile(r'\{([^{}]+)\}')


def set_out(base: Config, settings: Mapping[str, Any]) -> Config:
    """The config that the settings are set in: the base, or of a transfer a copy.

    A transfer takes the place of what draws masks, so that the copy has no sparsity, scope and so
    on of the base.
    """
    if settings.get('transfer') is None:
        return base
    cfg = copy.deepcopy(base)
    hook = find_hook(cfg, PruneHook) or {}
    for key in [key for key in hook if key in _OWNER and key != 'dense']:
        hook.pop(key)
    return cfg


def apply_settings(base: Config, settings: Mapping[str, Any]) -> Config:
    """A copy of the config with the settings in it."""
    cfg = copy.deepcopy(base)
    for key, value in settings.items():
        apply_setting(cfg, key, value)
    return cfg


def apply_setting(cfg: Config, key: str, value: Any) -> None:
    """Set one setting, by its short name or as a dotted config key."""
    if key == 'seed':
        set_options(cfg, {'randomness.seed': value})
    elif key in _OWNER:
        hook = find_hook(cfg, _OWNER[key])
        if hook is None:
            raise UserError(f'the setting {key!r} belongs to {_OWNER[key].__name__}, which the '
                            'base config does not have')
        hook[key] = ConfigDict(value) if isinstance(value, dict) else value
    else:
        set_options(cfg, {key: value})


def read_setting(cfg: Config, key: str) -> Any:
    """The value of a setting in a config, or its default; None where it has none."""
    if key == 'seed':
        return (cfg.get('randomness') or {}).get('seed')
    if key in _OWNER:
        return (build_hook(cfg, _OWNER[key]) or _OWNER[key]()).given[key]
    return value_at(cfg, key)


def check_keys(base: Config, keys: Iterable[str], short: Iterable[str] = (*_OWNER, 'seed')) -> None:
    """Refuse what would change nothing of a training but its name.

    A Runner must read the first step of a dotted key; what lies behind it may be new to the base: a
    hook by another name, a model's neck.

    Args:
        base: The config.
        keys: Of what is to be set in it.
        short: Settings that are known by a short name. Default: all.

    Raises:
        UserError: A key is mistyped, or a variable of the config's file.
    """
    short = set(short)
    for key in keys:
        first = key.split('.')[0]
        if key in short or first in _OF_RUNNER:
            continue
        if first in base:
            raise UserError(
                f'there is no setting {key!r}: {first!r} is a variable of the config file, which '
                'no training reads. Set what it stands in there, by its dotted key, as '
                "'train_cfg.max_iters'")
        near = get_close_matches(first, sorted(_OF_RUNNER | short), 3)
        raise UserError(
            f'there is no setting {key!r}: {first!r} is no key of the config'
            + (', nor an argument of PruneHook or RewindHook' if short else '')
            + (f'. Is it {" or ".join(map(repr, near))}?' if near else ''))


def changed(base: Config, settings: Mapping[str, Any]) -> Dict[str, Any]:
    """The settings that differ from what the config says already."""
    return {key: value for key, value in settings.items()
            if plain(read_setting(base, key)) != plain(value)}


def run_name(stem: str, settings: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """A readable folder name with a hash; stable when options are added.

    Args:
        stem: Of the base config's file.
        settings: What differs from it, by setting.
        options: What else differs from the file: its override and ``cfg_options``.
    """
    text = json.dumps(plain([stem, dict(settings), dict(options)]), sort_keys=True)
    words = [f'{key.split(".")[-1]}-{_short(value)}' for key, value in sorted(settings.items())]
    readable = '_'.join([stem, *words])[:100].encode()[:_LONGEST - 9].decode(errors='ignore')
    return f'{readable}_{hashlib.sha256(text.encode()).hexdigest()[:8]}'


def sources_in(value: Any, known: Iterable[str]) -> Dict[str, None]:
    """The names in braces in a setting's strings: ``'{imagenet}/round_1/final.pth'``.

    Raises:
        UserError: A string begins with a name in braces that is no source of the study.
    """
    if isinstance(value, str):
        first = _SOURCE.match(value)
        if first and first[1].isidentifier() and first[1] not in known:
            raise UserError(f'{value!r} names the source {first[1]!r}, which the study does not '
                            f'have; it has: {", ".join(known) or "none"}')
        return {name: None for name in _SOURCE.findall(value) if name in known}
    inner = value.values() if isinstance(value, dict) else (
        value if isinstance(value, (list, tuple)) else ())
    return {name: None for part in inner for name in sources_in(part, known)}


def fill_sources(value: Any, places: Mapping[str, str]) -> Any:
    """``value`` with each ``{NAME}`` of ``places`` replaced, at any depth."""
    if isinstance(value, str):
        return _SOURCE.sub(lambda match: places.get(match[1], match[0]), value)
    if isinstance(value, dict):
        return {key: fill_sources(inner, places) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(fill_sources(inner, places) for inner in value)
    return value


def plain(value: Any) -> Any:
    """A setting as JSON keeps it."""
    return json.loads(json.dumps(value, default=str, sort_keys=True))


def _short(value: Any) -> str:
    value = list(value.values()) if isinstance(value, dict) else value
    text = '+'.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return ''.join(c if c.isalnum() or c in '.+%' else '.' for c in text)
