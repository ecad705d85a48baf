"""Read the config a tool was given."""
from pathlib import Path
from typing import Optional

from mmengine.config import Config
from mmengine.utils import get_installed_path

from mmlth.core.errors import UserError

from .amp import keep_amp
from .options import make_room, set_options


def load_config(config: str, lth: Optional[str] = None,
                cfg_options: Optional[dict] = None) -> Config:
    """The config with its override and options merged in.

    Args:
        config: A file, or one of an installed package as
            ``mmdet::retinanet/retinanet_r18_fpn_1x_coco.py``.
        lth: A file whose keys are merged over the config's: what a leaf config of
            ``configs/lth`` would say. Default: None.
        cfg_options: From the command line, merged last. Default: None.

    Raises:
        UserError: A file does not exist or cannot be read, what is merged does not fit, or an
            option cannot be set.
    """
    cfg = _read(config)
    if lth is not None:
        override = _read(lth).to_dict()
        make_room(cfg, override)
        _merge(cfg, override, lth)
    if cfg_options is not None:
        set_options(cfg, cfg_options)
    keep_amp(cfg)
    return cfg


def _read(config: str) -> Config:
    try:
        return Config.fromfile(_find(config))
    except UserError:
        raise
    except RuntimeError as error:
        raise UserError(f'{config} cannot be read: {error}\nA pure Python config (classes as '
                        "types) takes 'with read_base(): from .my_detector import *' in place of "
                        '_base_, and is no base of one with _base_.') from None
    except Exception as error:      # a config is a program
        raise UserError(f'{config} cannot be read: {type(error).__name__}: {error}') from None


def _merge(cfg: Config, override: dict, source: str) -> None:
    try:
        cfg.merge_from_dict(override)
    except Exception as error:      # whatever the keys meet in the config
        raise UserError(f'{source} cannot be merged into the config: {error}') from None


def _find(config: str) -> str:
    path = config
    if '::' in config:
        package, name = config.split('::', 1)
        try:
            path = str(Path(get_installed_path(package)) / '.mim' / 'configs' / name)
        except Exception:
            raise UserError(f'{config}: there is no installed package {package!r}') from None
    if not Path(path).is_file():
        raise UserError(f'there is no config {config} ({Path(path).absolute()})')
    return path
