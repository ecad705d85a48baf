"""Build a config's model."""
import copy

from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from .default_scope import use_scope


def build_model(cfg: Config) -> nn.Module:
    """The config's model, its weights not initialised: no data and no download."""
    use_scope(cfg)
    # Models write into what they are built from: MMPretrain's name their preprocessor's type.
    model_cfg = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor'):
        model_cfg.setdefault('data_preprocessor', copy.deepcopy(cfg.data_preprocessor))
    return MODELS.build(model_cfg)
