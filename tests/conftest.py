"""Where real data is, and fast tests first."""
import gc
import os
import sys
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from mmengine.config import config as mmengine_config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.config import utils as mmengine_utils

# The models here are small: threads would only wait for each other.
os.environ['OMP_NUM_THREADS'] = '1'
torch.set_num_threads(1)

# mmengine lays out the config's text with yapf at every checkpoint: most of a toy training.
mmengine_config.FormatCode = lambda text, **kwargs: (text, False)
os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [
    str(Path(__file__).with_name('child')), os.environ.get('PYTHONPATH')]))

# It reads all of MMDetection's metafiles again for each `mmdet::` that a config is based on.
mmengine_utils.load = lru_cache(maxsize=None)(mmengine_utils.load)

# A busy machine is no failure.
settings.register_profile('untimed', deadline=None,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile('untimed')

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests'))

_FAST_FIRST = ('test_core', 'test_configs', 'test_datasets', 'test_engine')


def pytest_collection_modifyitems(items):
    def place(item):
        folder = item.path.parent.name
        slow = item.get_closest_marker('slow') is not None
        return slow, _FAST_FIRST.index(folder) if folder in _FAST_FIRST else len(_FAST_FIRST)
    items.sort(key=place)


def pytest_collection_finish():
    """A lottery looks for garbage after each round: half of a toy one went into looking through
    all that is imported. That stays, and need not be looked at."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session')
def real_data() -> Path:
    """The folder with VOCdevkit, bccd, coco80, coco_person and weights."""
    path = Path(os.environ.get('MMLTH_TEST_DATA', ROOT.parent / 'shared' / 'data'))
    if not path.is_dir():
        pytest.skip(f'no real images at {path}; set MMLTH_TEST_DATA')
    return path


@pytest.fixture(autouse=True)
def nothing_of_the_test_before():
    """Two Runners of one name in one second share a logger, and the scope of the last Runner is
    the next one's: each test begins as a process does."""
    MMLogger._instance_dict.clear()
    DefaultScope._instance_dict.clear()
