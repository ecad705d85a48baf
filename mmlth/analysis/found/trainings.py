"""What a lottery was set to: its hooks' arguments, and all that decides its dense training."""
import hashlib
import json
from typing import Any, Dict, List, Mapping

from mmengine.config import Config

from mmlth.engine import EarlyBirdHook, PruneHook, RewindHook, TicketHook
from mmlth.engine.chain.same_training import plain_config
from mmlth.engine.hook_configs import arguments_of

from .labels import class_names

# Arguments that a LotteryRunner sets, and a file's name: no settings of an experiment.
_NOT_SETTINGS = {'round', 'rewind', 'out'}
_OURS = {kind.__name__: kind for kind in (EarlyBirdHook, PruneHook, RewindHook, TicketHook)}
# Hooks that only look on.
_BYSTANDERS = {'logger', 'checkpoint', 'timer', 'visualization', 'runtime_info', 'badcase',
               'random_state'}
_TRAINING = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler',
             'auto_scale_lr', 'val_dataloader', 'val_evaluator', 'load_from')


def read_config(lottery: Mapping[str, Any]) -> Config:
    """The config in a ``lottery.json``: classes by their bare names, our hooks' subclasses as ours.

    Nothing is imported for it: the packages that the lottery was trained with may not be here. What
    our hooks made of their arguments is the file's ``spec``; older ones have none.
    """
    config, spec = class_names(lottery['config']), dict(lottery.get('spec') or {})
    spec.update(spec.get('early_bird') or {})
    for hook in _hooks(config):
        name = _bare(hook['type'])
        name = (lottery.get('hooks') or {}).get(name, name)
        if name in _OURS:
            known = arguments_of(_OURS[name])
            hook.update({k: v for k, v in spec.items() if k in known}, type=f'mmlth.{name}')
    return Config(config)


def read_settings(cfg: Config) -> Dict[str, Any]:
    """The settings of a lottery's hooks, as :class:`Run` has them; ``cfg`` as it was read."""
    hooks = {_bare(hook['type']): hook for hook in _hooks(cfg)}
    settings: Dict[str, Any] = {}
    for kind in (PruneHook, RewindHook):
        settings.update(_arguments(kind, hooks.get(kind.__name__, {})))
    early_bird = hooks.get(EarlyBirdHook.__name__)
    settings['early_bird'] = early_bird and _arguments(EarlyBirdHook, early_bird)
    return settings


def training_hash(cfg: Config) -> str:
    """Equal for lotteries with the same dense training and evaluation, but for the seed."""
    text = json.dumps(training_settings(cfg), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def training_settings(cfg: Config) -> Dict[str, Any]:
    """All of the config that decides the dense training and its evaluation: dotted key -> value.

    Without seed, lottery, and hooks that only look on.
    """
    config = plain_config(cfg)
    ours = [hook for hook in _hooks(config) if _bare(hook['type']) in _OURS]
    kept = {f'default_hooks.{key}': hook
            for key, hook in (config.get('default_hooks') or {}).items()
            if key not in _BYSTANDERS and hook not in ours}
    kept['custom_hooks'] = [hook for hook in config.get('custom_hooks') or [] if hook not in ours]
    found: Dict[str, Any] = {}
    for key, value in {**{key: config.get(key) for key in _TRAINING}, **kept}.items():
        found.update(_flat(value, key))
    return found


def _hooks(config: Mapping[str, Any]) -> List[Any]:
    """All hooks of a config; those set to None are none."""
    hooks = [*(config.get('default_hooks') or {}).values(), *(config.get('custom_hooks') or [])]
    return [hook for hook in hooks if isinstance(hook, dict) and 'type' in hook]


def _bare(kind: Any) -> str:
    return str(kind).rpartition('.')[2]


def _flat(value: Any, key: str) -> Dict[str, Any]:
    """The leaves of nested settings; an empty dict or list is one."""
    if not value or not isinstance(value, (dict, list)):
        # A class has one name, however the config gave it.
        return {key: _bare(value) if key.endswith('.type') else value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for name, inner in items for k, v in _flat(inner, f'{key}.{name}').items()}


def _arguments(hook: type, given: Mapping[str, Any]) -> Dict[str, Any]:
    """A hook's arguments, those not given with their defaults."""
    values = {key: given.get(key, default) for key, default in arguments_of(hook).items()
              if key not in _NOT_SETTINGS}
    return {key: value.to_dict() if hasattr(value, 'to_dict') else value
            for key, value in values.items()}
