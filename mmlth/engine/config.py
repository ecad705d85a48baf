"""Read the config a tool was given."""
from pathlib import Path
from typing import Optional

from mmengine.config import Config
from mmengine.utils import get_installed_path

from mmlth.core.errors import UserError


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
        UserError: A file does not exist, or is based on a package that is not installed.
    """
    cfg = _read(config)
    if lth is not None:
        override = _read(lth)
        kind = (cfg.get('optim_wrapper') or {}).get('type')     # a name, scoped or not, or a class
        amp = getattr(kind, '__name__', str(kind)).split('.')[-1] == 'AmpOptimWrapper'
        for key in [key for key in override if cfg.get(key) is None]:
            cfg.pop(key, None)      # nothing is merged into None
        cfg.merge_from_dict(override.to_dict())
        if amp:     # the override names the fp32 wrapper, the model is trained with AMP
            use_masked_amp(cfg)
    if cfg_options is not None:
        cfg.merge_from_dict(cfg_options)
    return cfg


def use_masked_amp(cfg: Config) -> None:
    """Train with AMP and keep masks: what ``--amp`` sets."""
    cfg.optim_wrapper.type = 'mmlth.MaskedAmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _read(config: str) -> Config:
    try:
        return Config.fromfile(_find(config))
    except ModuleNotFoundError as error:
        raise UserError(f'{config} cannot be read: {error}') from None


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
