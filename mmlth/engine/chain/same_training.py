"""Two configs compared: what differs between them that a training depends on."""
import functools
import hashlib
import inspect
import json
import math
from types import CodeType, FunctionType
from typing import Any, Dict, List, Tuple

from mmengine.config import Config

# How a lottery is started. (MMDetection's --resume clears load_from; a lottery keeps its own.)
_START = {'work_dir', 'resume', 'load_from', 'launcher', 'experiment_name'}
# How a training is shown; and no round runs a test.
_SHOWN = {'log_level', 'log_processor', 'visualizer', 'vis_backends',
          'test_dataloader', 'test_cfg', 'test_evaluator', 'tta_model', 'tta_pipeline',
          'latency'}
# Hooks that show the training or save it, and change nothing of it. A round's final.pth, its
# rewind point and the checkpoint that it resumes from do not depend on them.
_ONLOOKERS = {'LoggerHook', 'CheckpointHook', 'IterTimerHook', 'DetVisualizationHook',
              'TrackVisualizationHook', 'PoseVisualizationHook', 'VisualizationHook',
              'NaiveVisualizationHook', 'MemoryProfilerHook', 'EmptyCacheHook'}
# How data get to the process. Not ``num_workers`` and ``persistent_workers``: what augments draws
# random numbers in the workers, one stream each.
LOADING = {'pin_memory', 'prefetch_factor'}


def differences(old: Dict[str, Any], new: Dict[str, Any]) -> Tuple[List[str], List[str]]:
    """Each changed key with both values: those a training depends on, and all others.

    What is not known to make no difference does: the interval of validations, for one, on which
    schedulers and early stops may hang.

    Args:
        old: From :func:`plain_config`.
        new: Likewise.
    """
    (old, old_rest), (new, new_rest) = _split(old), _split(new)
    return _compare(old, new), _compare(old_rest, new_rest)


def _split(config: Dict[str, Any]) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """The part of a config that a training depends on, and the rest."""
    needed = {k: v for k, v in config.items() if k not in _START | _SHOWN}
    rest = {k: v for k, v in config.items() if k in _SHOWN}
    for key in ('default_hooks', 'train_dataloader', 'val_dataloader'):
        if isinstance(config.get(key), dict):
            values = config[key]
            shown = {k: v for k, v in values.items() if (
                looks_on(v) if key == 'default_hooks' else k in LOADING)}
            needed[key], rest[key] = {k: v for k, v in values.items() if k not in shown}, shown
    if isinstance(config.get('custom_hooks'), list):
        hooks = config['custom_hooks']
        needed['custom_hooks'] = [h for h in hooks if not looks_on(h)] or None
        rest['custom_hooks'] = [h for h in hooks if looks_on(h)] or None
    return needed, rest


def looks_on(hook: Any) -> bool:
    """Whether a hook of a config only shows or saves: nothing of a training depends on it.

    Its type is a name, scoped or not, or a class as text.
    """
    kind = str(hook.get('type') if isinstance(hook, dict) else None)
    return kind.rstrip("'>").rsplit('.', 1)[-1] in _ONLOOKERS


def _compare(old: Any, new: Any, where: str = '') -> List[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [text for key in {**old, **new}
                for text in _compare(old.get(key), new.get(key),
                                     f'{where}.{key}' if where else key)]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [text for i, pair in enumerate(zip(old, new))
                for text in _compare(*pair, f'{where}[{i}]')]
    undefined = all(isinstance(value, float) and math.isnan(value) for value in (old, new))
    same = old == new or undefined
    return [] if same else [f'{where} was {_short(old)}, is {_short(new)}']


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + '...'


def plain_config(cfg: Config) -> Dict[str, Any]:
    """The config as plain JSON values, the same ones in every process."""
    return json.loads(json.dumps(_plain(cfg.to_dict())))


def _plain(value: Any) -> Any:
    """As :func:`json.dumps` writes it; what it does not know, by content and not by address."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(_plain(key)): _plain(inner)
                for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(inner) for inner in value), key=json.dumps)
    if hasattr(value, 'tolist'):    # arrays, tensors and their scalars
        return _plain(value.tolist())
    return _described(value)


def _described(value: Any) -> Any:
    if isinstance(value, functools.partial):
        return dict(partial=_plain(value.func), args=_plain(value.args),
                    keywords=_plain(value.keywords))
    if isinstance(value, FunctionType):
        used = inspect.getclosurevars(value)
        outer = {name: thing for name, thing in {**used.globals, **used.nonlocals}.items()
                 if isinstance(thing, (type(None), str, int, float, list, tuple, dict, set))}
        return dict(function=f'{value.__module__}.{value.__qualname__}',
                    code=_code_digest(value.__code__), outer=_plain(outer),
                    defaults=_plain([value.__defaults__, value.__kwdefaults__]))
    text = str(value)
    if ' at 0x' not in text:
        return text
    kind = f'{type(value).__module__}.{type(value).__qualname__}'
    if hasattr(value, '__self__'):      # a method
        return dict(method=value.__qualname__, of=_plain(value.__self__))
    try:
        return dict(object=kind, values=_plain(vars(value)))
    except (TypeError, RecursionError):     # it has no values, or holds itself
        return kind


def _code_digest(code: CodeType) -> str:
    """Of what a function does: its instructions, names and constants."""
    sha = hashlib.sha256(code.co_code)
    sha.update(repr((code.co_names, code.co_varnames)).encode())
    for constant in code.co_consts:
        sha.update(_code_digest(constant).encode() if isinstance(constant, CodeType)
                   else json.dumps(_plain(constant)).encode())
    return sha.hexdigest()[:16]
