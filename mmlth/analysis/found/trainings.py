"""The training that a lottery was made with, as its files tell."""
import hashlib
import json
from pathlib import PurePath
from typing import Any, Dict, List, Mapping, Optional

from mmengine.config import Config

from mmlth.engine import EarlyBirdHook, PruneHook, RewindHook, TicketHook
from mmlth.engine.chain.same_training import LOADING, looks_on, plain_config

from .labels import class_names, last_folder

_OURS = {kind.__name__ for kind in (EarlyBirdHook, PruneHook, RewindHook, TicketHook)}
# Hooks that only look on, beside those that same_training knows by their class.
_BYSTANDERS = {'logger', 'checkpoint', 'timer', 'visualization', 'runtime_info', 'badcase',
               'random_state'}
_TRAINING = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler',
             'auto_scale_lr', 'val_dataloader', 'val_evaluator', 'load_from')
_LOADERS = ('train_dataloader', 'val_dataloader')


def read_config(lottery: Mapping[str, Any]) -> Config:
    """The config in a ``lottery.json``: classes by their bare names, our hooks' subclasses as ours.

    Nothing is imported for it: the packages that the lottery was trained with may not be here.
    """
    config, classes = class_names(lottery['config']), lottery.get('hooks') or {}
    for hook in _hooks(config):
        name = _bare(hook['type'])
        if classes.get(name, name) in _OURS:
            hook['type'] = f'mmlth.{classes.get(name, name)}'
    return Config(config)


def given_settings(given: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """What stands for the files that a lottery was given: which they are is no setting.

    Args:
        given: Of its round 0 in ``lottery.json``; None if it was given none.
    """
    if not given:
        return {}
    point, found = given.get('rewind'), dict(dense='given', point=None)
    if point:
        iteration = point['iterations']
        found['to'] = PurePath(point['file']).name if iteration is None else f'{iteration}it'
    return found


def training_hash(cfg: Config) -> str:
    """Equal for lotteries with the same dense training and evaluation, but for the seed."""
    text = json.dumps(training_settings(cfg), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def training_settings(cfg: Config) -> Dict[str, Any]:
    """All of the config that decides the dense training and its evaluation: dotted key -> value.

    Without seed, lottery, hooks that only look on, how data get to the process, and where they
    lie: of data roots only the last folder counts. A dense model that was given is ``'given'``.
    """
    config = plain_config(cfg)
    ours = [hook for hook in _hooks(config) if _bare(hook['type']) in _OURS]
    kept = {f'default_hooks.{key}': hook
            for key, hook in (config.get('default_hooks') or {}).items()
            if not (key in _BYSTANDERS or looks_on(hook) or hook in ours)}
    kept['custom_hooks'] = [hook for hook in config.get('custom_hooks') or []
                            if not (looks_on(hook) or hook in ours)]
    found: Dict[str, Any] = {}
    for key, value in {**{key: config.get(key) for key in _TRAINING}, **kept}.items():
        if key in _LOADERS and isinstance(value, dict):
            value = {name: inner for name, inner in value.items() if name not in LOADING}
        found.update(_flat(value, key))
    given = any(isinstance(hook.get('dense'), str) for hook in ours)
    return {**_without_roots(found), **({'dense': 'given'} if given else {})}


def _without_roots(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Data roots by their last folder, also where other paths begin with them."""
    roots = sorted({value.rstrip('/') for key, value in settings.items()
                    if key.endswith('data_root') and isinstance(value, str)}, key=len, reverse=True)

    def named(value: Any) -> Any:
        root = next((root for root in roots if root and isinstance(value, str)
                     and f'{value}/'.startswith(f'{root}/')), None)
        return value if root is None else f'{last_folder(root)}/{value[len(root):].strip("/")}'
    return {key: named(value) for key, value in settings.items()}


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
