"""Build a config's model."""
import copy

from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS

from mmlth.core.errors import UserError

from .default_scope import use_scope


def build_model(cfg: Config) -> BaseModel:
    """The config's model, its weights not initialised: no data and no download.

    Raises:
        UserError: The config has no model, or names what is not registered.
    """
    check_model(cfg)
    use_scope(cfg)
    # Models write into what they are built from: MMPretrain's name their preprocessor's type.
    model_cfg = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor'):
        model_cfg.setdefault('data_preprocessor', copy.deepcopy(cfg.data_preprocessor))
    try:
        return MODELS.build(model_cfg)
    except KeyError as error:
        raise UserError(f"the config's model cannot be built: {error.args[0]}") from error


def check_model(cfg: Config) -> None:
    """Raise a UserError for a config without a model."""
    if not isinstance(cfg.get('model'), dict):
        raise UserError('the config has no model')
