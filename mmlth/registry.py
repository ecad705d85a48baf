"""Child registries of mmengine with the scope ``mmlth``.

A config that names ``mmlth.X`` makes mmengine import this module, and on the first
look-up the locations below. Little else is imported here: mmengine swallows import
errors of a registry module, so one hidden failure would look like an unknown type.
"""
import importlib
import inspect
from functools import partial
from typing import Any, Callable, Mapping, Optional, Union

from mmlth import versions

versions.check('mmengine', 'mmcv', 'mmdet', 'mmpose', 'mmpretrain')

from mmengine.registry import DATASETS as MMENGINE_DATASETS  # noqa: E402
from mmengine.registry import HOOKS as MMENGINE_HOOKS  # noqa: E402
from mmengine.registry import METRICS as MMENGINE_METRICS  # noqa: E402
from mmengine.registry import MODELS as MMENGINE_MODELS  # noqa: E402
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS  # noqa: E402
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS  # noqa: E402
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS  # noqa: E402
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS  # noqa: E402
from mmengine.registry import Registry  # noqa: E402

from mmlth.core.errors import UserError  # noqa: E402

HOOKS = Registry(
    'hook', parent=MMENGINE_HOOKS, scope='mmlth', locations=['mmlth.engine'])
OPTIM_WRAPPERS = Registry(
    'optim_wrapper', parent=MMENGINE_OPTIM_WRAPPERS, scope='mmlth',
    locations=['mmlth.engine'])
RUNNERS = Registry(
    'runner', parent=MMENGINE_RUNNERS, scope='mmlth', locations=['mmlth.engine'])

# What MMDetection lacks for keypoints: a model, and data that carries keypoints.
MODELS = Registry(
    'model', parent=MMENGINE_MODELS, scope='mmlth', locations=['mmlth.models'])
DATASETS = Registry(
    'dataset', parent=MMENGINE_DATASETS, scope='mmlth',
    locations=['mmlth.datasets.keypoints'])
TRANSFORMS = Registry(
    'transform', parent=MMENGINE_TRANSFORMS, scope='mmlth',
    locations=['mmlth.datasets.keypoints'])
METRICS = Registry(
    'metric', parent=MMENGINE_METRICS, scope='mmlth',
    locations=['mmlth.datasets.keypoints'])
VISUALIZERS = Registry(
    'visualizer', parent=MMENGINE_VISUALIZERS, scope='mmlth',
    locations=['mmlth.datasets.keypoints'])

# Methods of ours, which no package of OpenMMLab has: roots of their own.
SCORES = Registry('score', scope='mmlth', locations=['mmlth.engine.builtin'])
ALLOCATIONS = Registry('allocation', scope='mmlth', locations=['mmlth.engine.builtin'])
STARTS = Registry('start', scope='mmlth', locations=['mmlth.engine.starts'])
UPDATES = Registry('mask update', scope='mmlth', locations=['mmlth.engine.updates'])
ANALYSES = Registry('analysis', scope='mmlth', locations=['mmlth.analysis.sections'])


def find(registry: Registry, named: Union[None, str, Mapping, Callable],
         beside: str = '') -> Any:
    """The method that a setting names.

    Args:
        registry: Of its kind.
        named: ``'name'``, ``'scope.name'``, ``'package.module.name'``; or
            ``dict(type=..., **arguments)``, of which a class is built and a function gets a
            partial; or the method itself. None, of a dict without a type, is no name.
        beside: What else may be named, for the message. Default: ``''``, nothing.

    Raises:
        UserError: The name is unknown, or an argument is.
    """
    if isinstance(named, Mapping):
        arguments = {key: value for key, value in named.items() if key not in ('type', '_scope_')}
        kind = find(registry, named.get('type'), beside)
        try:
            if isinstance(kind, type):
                return kind(**arguments)
            inspect.signature(kind).bind_partial(**arguments)
        except TypeError as error:
            raise UserError(f'{registry.name} {named.get("type")!r}: {error}') from None
        return partial(kind, **arguments)
    if callable(named):
        return named
    try:
        found = registry.get(named)
    except (RuntimeError, TypeError):
        found = None
    if found is None:
        raise UserError(
            f'unknown {registry.name} {named!r}{_why_not_imported(named)}, expected one of: '
            f'{", ".join(sorted(registry.module_dict))}{beside}. One of your own is registered by '
            "a module that custom_imports names, or is given as 'package.module.name'")
    return found


def _why_not_imported(path: Any) -> str:
    """What went wrong in a module on the way, which a look-up takes for no such name."""
    parts = path.split('.') if isinstance(path, str) else []
    for length in range(1, len(parts)):
        module = '.'.join(parts[:length])
        try:
            importlib.import_module(module)
        except ImportError as error:
            # The rest is the name of a class in it; or the first part is a scope.
            return '' if error.name == module else f' ({module} cannot be imported: {error})'
    return ''


def written(registry: Registry, named: Any) -> Any:
    """What a dumped config says of a method, for :func:`find`: of a class or function its path.

    Args:
        registry: Of its kind.
        named: As :func:`find` takes it. Methods of mmlth itself are told by their names, a partial
            by its function and its keywords.

    Raises:
        UserError: It is an object that no path leads to.
    """
    if isinstance(named, partial) and not named.args:
        named = dict(type=named.func, **named.keywords)
    if isinstance(named, Mapping):
        kind = written(registry, named.get('type'))
        begun = kind if isinstance(kind, Mapping) else dict(type=kind)   # of a partial
        return {**begun, **{key: value for key, value in named.items() if key != 'type'}}
    if not callable(named):
        return named
    function = inspect.unwrap(named)
    if not hasattr(function, '__qualname__'):
        raise UserError(f'{registry.name} {named!r} is an object, which no config can name: give '
                        'its class or function, with arguments as dict(type=..., argument=...)')
    path = f'{function.__module__}.{function.__qualname__}'
    own = {id(method): name for name, method in registry.module_dict.items()}
    return own.get(id(named), path) if path.startswith('mmlth.') else path


def noted(registry: Registry, named: Any) -> Optional[Any]:
    """The method that a file notes, among those that are known so far; None if it is not here.

    Nothing is imported for it but what mmlth has itself: the package may not be installed.

    Args:
        registry: Of its kind.
        named: As :func:`find` takes it, or what a file makes of a class.
    """
    registry.import_from_location()
    *package, name = path_of(named).split('.')
    methods = registry.module_dict
    found = methods.get(name) or {method.__name__: method for method in methods.values()}.get(name)
    if found is None or package in ([], [registry.scope]):
        return found
    # Another package may have one of that name.
    return found if inspect.unwrap(found).__module__.split('.')[0] == package[0] else None


def label_of(registry: Registry, named: Any) -> str:
    """What analyses call trainings with a method; its name where it has no label, or is not here.

    Args:
        registry: Of methods with a ``label``.
        named: As :func:`noted` takes it.
    """
    label = getattr(noted(registry, named), 'label', None)
    return path_of(named).rpartition('.')[2] if label is None else label


def path_of(named: Any) -> str:
    """A method's name with its module or scope, if that is noted.

    Args:
        named: As :func:`noted` takes it.
    """
    kind = named.get('type') if isinstance(named, Mapping) else named
    if isinstance(kind, partial):
        kind = kind.func
    if callable(kind):
        return f'{kind.__module__}.{kind.__name__}'
    return str(kind).removeprefix("<class '").rstrip("'>")      # as files have a class
