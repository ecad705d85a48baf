"""Configs without a default scope, as the pure Python ones of MMDetection and MMPose are."""
import pytest
from mmengine.registry import DATASETS, MODELS, TRANSFORMS, DefaultScope
from toy import toy_config

from mmlth.engine.config import load_config
from mmlth.engine.costs import first_validation_batch
from mmlth.engine.example import example
from mmlth.engine.preview import preview
from mmlth.engine.types import class_of_type


def pure(cfg):
    """The config with classes as types, where mmengine knows them by their name."""
    def convert(node):
        for value in node.values() if isinstance(node, dict) else node:
            if isinstance(value, (dict, list, tuple)):
                convert(value)
        if isinstance(node, dict) and isinstance(node.get('type'), str):
            found = [class_of_type(registry, node['type'], cfg.default_scope)
                     for registry in (MODELS, DATASETS, TRANSFORMS)]
            node['type'] = next(filter(None, found), node['type'])
    convert(cfg.model)
    convert(cfg.test_dataloader)
    cfg.default_scope = None
    return cfg


@pytest.mark.parametrize('name', ['faster_rcnn_r18_digits_small', 'td_hm_r18_digits_small'])
def test_a_pure_python_config_is_previewed(monkeypatch, name):
    cfg = load_config(f'configs/lth/{name}.py')
    expected = example(cfg)['inputs'][0].shape
    cfg = pure(cfg)
    assert not isinstance(cfg.model.type, str)
    # As in a process of its own, where no scope is the current one.
    monkeypatch.setattr(DefaultScope, 'get_current_instance', lambda: None)
    assert example(cfg)['inputs'][0].shape == expected
    result = preview(cfg)
    assert result['note'] is None and result['network_sparsity'] > 0.7


def test_its_data_give_an_image(tmp_path):
    assert first_validation_batch(toy_config(tmp_path, default_scope=None))['inputs'].shape == (
        1, 2, 4, 4)
