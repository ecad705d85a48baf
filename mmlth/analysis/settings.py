"""What a lottery was set to: its hooks' arguments, and all that decides its dense training."""
import hashlib
import inspect
import json
from typing import Any, Dict, Mapping

from mmengine.config import Config

from mmlth.engine import EarlyBirdHook, PruneHook, RewindHook
from mmlth.engine.same_training import plain_config
from mmlth.engine.rounds import evaluation_config, hook_config

# Arguments that a LotteryRunner sets, and a file's name: no settings of an experiment.
_NOT_SETTINGS = {'self', 'round', 'rewind', 'out'}
# Hooks that only look on.
_BYSTANDERS = {'logger', 'checkpoint', 'timer', 'visualization', 'runtime_info', 'badcase',
               'random_state'}
_TRAINING = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler',
             'auto_scale_lr', 'val_dataloader', 'val_evaluator', 'load_from')


def read_settings(cfg: Config) -> Dict[str, Any]:
    """The settings of a lottery's hooks, as :class:`Run` has them."""
    settings: Dict[str, Any] = {}
    for hook in (PruneHook, RewindHook):
        settings.update(_arguments(hook, hook_config(cfg, hook.__name__) or {}))
    early_bird = hook_config(cfg, 'EarlyBirdHook')
    settings.setdefault('transfer', None)
    settings['early_bird'] = None if early_bird is None else _arguments(
        EarlyBirdHook, early_bird)
    return settings


def training_hash(cfg: Config) -> str:
    """Equal for lotteries with the same dense training and evaluation, but for the seed."""
    text = json.dumps(training_settings(cfg), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def training_settings(cfg: Config) -> Dict[str, Any]:
    """All of the config that decides the dense training and its evaluation: dotted key -> value.

    Without seed, lottery, and hooks that only look on.
    """
    plain = plain_config(evaluation_config(cfg))
    found: Dict[str, Any] = {}
    for key in (*_TRAINING, 'custom_hooks'):
        found.update(_flat(plain.get(key), key))
    for key, hook in (plain.get('default_hooks') or {}).items():
        if key not in _BYSTANDERS:
            found.update(_flat(hook, f'default_hooks.{key}'))
    return found


def _flat(value: Any, key: str) -> Dict[str, Any]:
    """The leaves of nested settings; an empty dict or list is one."""
    if not value or not isinstance(value, (dict, list)):
        return {key: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for name, inner in items for k, v in _flat(inner, f'{key}.{name}').items()}


def _arguments(hook: type, given: Mapping[str, Any]) -> Dict[str, Any]:
    """A hook's arguments, those not given with their defaults."""
    defaults = {name: argument.default
                for name, argument in inspect.signature(hook.__init__).parameters.items()}
    values = {**defaults, **given}
    return {key: value.to_dict() if hasattr(value, 'to_dict') else value
            for key, value in values.items()
            if key not in _NOT_SETTINGS and key not in ('type', 'priority')}
