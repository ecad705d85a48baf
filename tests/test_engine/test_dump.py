"""A dumped config is read as data."""
import math

import pytest
from mmengine.config import Config

from mmlth.analysis.measure.evaluate import read_config
from mmlth.core.errors import UserError
from mmlth.engine.config import load_config
from mmlth.engine.dump import read_dump


def same(one, other):
    """Types too: some transforms take a tuple and no list."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize('name', [
    'configs/lth/keypoint_rcnn_r18_digits_small_prune80.py',
    'mmdet::yolox/yolox_s_8xb8-300e_coco.py',
    'mmpose::body_2d_keypoint/rtmpose/coco/rtmpose-s_8xb256-420e_coco-256x192.py'])
def test_as_mmengine_reads_it(name, tmp_path):
    load_config(name).dump(tmp_path / 'c.py')
    assert same(read_dump(tmp_path / 'c.py').to_dict(),
                Config.fromfile(tmp_path / 'c.py').to_dict())


def test_values(tmp_path):
    """What no config file may hold, but a dump does: infinity and NaN."""
    Config(dict(a={0: -1, '1': (1,)}, b=dict(c=None, d=[{'x-y': True}]), e=math.inf, f=-1e-3,
                g=math.nan, h={1}, i={}, custom_imports=dict(imports=['json']))
           ).dump(tmp_path / 'c.py')
    cfg = read_dump(tmp_path / 'c.py')
    assert cfg.a == {0: -1, '1': (1,)} and cfg.b == dict(c=None, d=[{'x-y': True}])
    assert (cfg.e, cfg.f, cfg.h, cfg.i) == (math.inf, -1e-3, {1}, {}) and math.isnan(cfg.g)


@pytest.mark.parametrize('line', [
    'import os', 'open({made!r}, "w")', 'x = open({made!r}, "w")',
    'x = dict(a=[open({made!r}, "w")])',
    'x = __import__("os")', 'x = [open({made!r}, "w") for _ in range(1)]', 'x = (lambda: 1)()',
    'def f():\n    pass', 'a, b = 1, 2', 'a = b = 1', 'x = f"{{open({made!r}, chr(119))}}"',
    'x = y', 'x = dict.fromkeys("a")', 'x = 1 if 1 else 2', '_base_ = "x.py"\nimport os',
    'x = (', '\0', 'x = ' + '[' * 5000, 'x = dict(**1)', 'x = {{[]: 1}}'])
def test_nothing_else_is_read(line, tmp_path):
    """Nor run: not even of the newest file of a work dir that is analysed."""
    Config(dict(a=1)).dump(tmp_path / 'a.py')
    (tmp_path / 'b.py').write_text(line.format(made=str(tmp_path / 'made')))
    with pytest.raises(UserError, match='b.py is not read: '):
        read_config(tmp_path)
    assert not (tmp_path / 'made').exists()
