"""Mixed precision: a base config that trains with it keeps it when its wrapper is a masked one."""
import ast
from pathlib import Path
from typing import List, Optional

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.utils import get_installed_path

from mmlth.core.errors import UserError

from .masked_optim_wrapper import AMP_ARGUMENTS, MaskedOptimWrapper
from .types import class_of_config


def use_masked_amp(cfg: Config) -> None:
    """Train with AMP and keep masks: what ``--amp`` sets.

    Raises:
        UserError: The config has no optim wrapper.
    """
    if not cfg.get('optim_wrapper'):
        raise UserError('--amp needs an optim_wrapper in the config, which has none')
    cfg.optim_wrapper.type = 'mmlth.MaskedAmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def keep_amp(cfg: Config) -> None:
    """Where ``MaskedOptimWrapper`` was set over an AMP wrapper, take the masked AMP wrapper.

    The type in a config takes the place of its base's, which trained with AMP: seen in the
    arguments that it has left (``loss_scale``, ``dtype``), or in the base's file.
    """
    wrapper = cfg.get('optim_wrapper') or {}
    if not _is_masked(cfg):
        return
    left = sorted(AMP_ARGUMENTS & set(wrapper))
    if left or cfg.filename and _trains_with_amp(cfg.filename):
        use_masked_amp(cfg)
        print_log('optim_wrapper: the base config trains with AMP'
                  + (f' (it sets {", ".join(left)})' if left else '') + ', so tickets are trained '
                  "with 'mmlth.MaskedAmpOptimWrapper'. To train them without, let the base config "
                  "name 'OptimWrapper'.", logger='current')


def _trains_with_amp(filename: str) -> bool:
    """Whether the last wrapper named in a config file, or below it, is an AMP wrapper."""
    if not Path(filename).is_file():        # a config may outlive its file
        return False
    cfg = Config.fromfile(filename)
    if _is_masked(cfg):
        return any(map(_trains_with_amp, base_files(filename)))
    kind = _wrapper(cfg)
    return kind is not None and issubclass(kind, AmpOptimWrapper)


def base_files(filename: str) -> List[str]:
    """The files a config is based on by ``_base_`` or ``read_base``, found as mmengine does."""
    filename = str(filename)
    if not Config._is_lazy_import(filename):
        return [Config._get_cfg_path(base, filename)[0]
                for base in Config._get_base_files(filename)]
    code = ast.parse(Path(filename).read_text(encoding='utf-8'))
    return [_module_file(name, Path(filename).parent)
            for name in Config._get_base_modules(code.body)]


def _module_file(name: str, folder: Path) -> str:
    """The file of a module that is named relative to ``folder``, or in a package."""
    inner = name.lstrip('.')
    for _ in range(len(name) - len(inner) - 1):
        folder = folder.parent
    package, *parts = inner.split('.')
    root = folder / package if name.startswith('.') else Path(get_installed_path(package))
    return f'{root.joinpath(*parts)}.py'


def _wrapper(cfg: Config) -> Optional[type]:
    return class_of_config(OPTIM_WRAPPERS, cfg.get('optim_wrapper') or {}, cfg.get('default_scope'))


def _is_masked(cfg: Config) -> bool:
    return _wrapper(cfg) is MaskedOptimWrapper
