"""Child registries of mmengine with the scope ``mmlth``.

A config that names ``mmlth.X`` makes mmengine import this module, and on the first
look-up the locations below. Nothing else is imported here: mmengine swallows import
errors of a registry module, so one hidden failure would look like an unknown type.
"""
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
