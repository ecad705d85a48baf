"""What a study is: a base config, the settings that vary, and the runs they expand to."""
import copy
import hashlib
import inspect
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List

from mmengine.config import Config, ConfigDict

from mmlth.core.errors import UserError
from mmlth.engine import PruneHook, RewindHook
from mmlth.engine.config import load_config
from mmlth.engine.rounds import hook_config

# Settings by a short name: the arguments of these hooks, but for those that a LotteryRunner
# sets. Any other setting is a dotted key of the config.
_OWN = {'round', 'rewind', 'out', 'self'}
_OWNER = {name: (hook, argument.default) for hook in (PruneHook, RewindHook)
          for name, argument in inspect.signature(hook.__init__).parameters.items()
          if name not in _OWN}
_KEYS = {'base', 'lth', 'cfg_options', 'axes', 'seeds', 'metric'}


@dataclass
class Run:
    """One lottery of a study.

    Args:
        parts: What it sets in each part of the study that it belongs to, e.g.
            ``{'allocation': {'sparsity': 0.9, 'seed': 1}}``.
        cfg: Its whole config.
        name: Its folder's name, from what differs from the base config alone.
    """
    parts: Dict[str, Dict[str, Any]]
    cfg: Config
    name: str


@dataclass
class Study:
    """A study file, read and expanded.

    Args:
        name: The file's name without suffix.
        metric: The metric to compare, as the evaluator names it.
        parts: Each part's combinations of settings, in the file's order.
        runs: Every run once, though it may belong to several parts.
    """
    name: str
    metric: str
    parts: Dict[str, List[Dict[str, Any]]] = field(default_factory=dict)
    runs: List[Run] = field(default_factory=list)


def load_study(path: str) -> Study:
    """Read a study file and expand its axes.

    A study file is a Python config with ``base`` (a config file, relative to the study
    file, or ``mmdet::...``), ``axes`` (per part of the study, ``{setting: [values]}``; all
    combinations are run), ``seeds`` (of every run; default ``[0]``), ``metric``, and
    optionally ``lth`` (an override merged over the base) and ``cfg_options``. A setting is
    an argument of ``PruneHook`` or ``RewindHook`` by its name, or any dotted config key.

    Raises:
        UserError: A key is missing or unknown, or a value is no list.
    """
    if not Path(path).is_file():
        raise UserError(f'there is no study {path}')
    spec = Config.fromfile(path)
    unknown, missing = set(spec.keys()) - _KEYS, {'base', 'axes', 'metric'} - set(spec.keys())
    if unknown or missing:
        raise UserError(
            f'{path}: a study has base, axes and metric, and may have lth, seeds and '
            f'cfg_options; unknown: {sorted(unknown) or "none"}, missing: '
            f'{sorted(missing) or "none"}')
    folder = Path(path).parent
    base = load_config(_beside(folder, spec.base), spec.get('lth') and _beside(folder, spec.lth),
                       spec.get('cfg_options'))
    study = Study(Path(path).stem, spec.metric)
    found: Dict[str, Run] = {}
    for part, axes in spec.axes.items():
        study.parts[part] = _combinations(axes, spec.get('seeds', [0]), f'{path}: axes.{part}')
        for settings in study.parts[part]:
            run = make_run(base, settings, part)
            found.setdefault(run.name, run).parts.update(run.parts)
    # Seed by seed: what an unfinished study has, it has for all settings.
    study.runs = sorted(found.values(), key=lambda run: run.cfg.randomness.seed)
    return study


def make_run(base: Config, settings: Dict[str, Any], part: str) -> Run:
    """The run that sets ``settings`` over the base config."""
    cfg = copy.deepcopy(base)
    for key, value in settings.items():
        apply_setting(cfg, key, value)
    own = {key: value for key, value in settings.items()
           if plain(read_setting(base, key)) != plain(value)}
    return Run({part: settings}, cfg, run_name(own))


def apply_setting(cfg: Config, key: str, value: Any) -> None:
    """Set one setting, by its short name or as a dotted config key."""
    if key == 'seed':
        cfg.merge_from_dict({'randomness.seed': value})
    elif key in _OWNER:
        name = _OWNER[key][0].__name__
        hook = hook_config(cfg, name)
        if hook is None:
            raise UserError(f'the setting {key!r} belongs to {name}, which the base config does '
                            'not have')
        hook[key] = ConfigDict(value) if isinstance(value, dict) else value
    else:
        cfg.merge_from_dict({key: value})


def read_setting(cfg: Config, key: str) -> Any:
    """The value of a setting in a config, or its default; None where it has none."""
    if key == 'seed':
        return (cfg.get('randomness') or {}).get('seed')
    if key in _OWNER:
        hook, default = _OWNER[key]
        return (hook_config(cfg, hook.__name__) or {}).get(key, default)
    value: Any = cfg
    for step in key.split('.'):
        value = value[int(step)] if isinstance(value, list) else (value or {}).get(step)
    return value


def run_name(settings: Dict[str, Any]) -> str:
    """A readable folder name with a hash of the settings; stable when options are added."""
    if not settings:
        return 'base'
    text = json.dumps(plain(settings), sort_keys=True)
    words = '_'.join(f'{key.split(".")[-1]}-{_short(value)}'
                     for key, value in sorted(settings.items()))
    return f'{words[:80]}_{hashlib.sha256(text.encode()).hexdigest()[:8]}'


def plain(value: Any) -> Any:
    """A setting as JSON keeps it."""
    return json.loads(json.dumps(value, default=str, sort_keys=True))


def _combinations(axes: Dict[str, Any], seeds, where: str) -> List[Dict[str, Any]]:
    axes = {**axes, 'seed': axes.get('seed', seeds)}
    for key, values in axes.items():
        if not isinstance(values, (list, tuple)) or not values:
            raise UserError(f'{where}.{key}: expected a list of values, got {values!r}')
    return [dict(zip(axes, values)) for values in itertools.product(*axes.values())]


def _short(value: Any) -> str:
    value = list(value.values()) if isinstance(value, dict) else value
    text = '+'.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return ''.join(c if c.isalnum() or c in '.+%' else '.' for c in text)


def _beside(folder: Path, config: str) -> str:
    """A config named relative to the study file."""
    return config if '::' in config or Path(config).is_absolute() else str(folder / config)
