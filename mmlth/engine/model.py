"""Build a config's model."""
import copy

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn


def build_model(cfg: Config) -> nn.Module:
    """The config's model, its weights not initialised: no data and no download."""
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    # Models write into what they are built from: MMPretrain's name their preprocessor's type.
    model_cfg = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor'):
        model_cfg.setdefault('data_preprocessor', copy.deepcopy(cfg.data_preprocessor))
    return MODELS.build(model_cfg)
