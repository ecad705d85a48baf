"""The library in which a config's names are looked up first."""
from typing import Optional

from mmengine.config import Config
from mmengine.registry import init_default_scope


def use_scope(cfg: Config) -> Optional[str]:
    """Make the config's ``default_scope`` the current one, as a Runner does.

    The pure Python configs of MMDetection and MMPose set it to None: they give classes, and what
    these build by a name is found in their own library. Then it stays as it is.

    Returns:
        str or None: The scope; mmengine's where the config does not speak of it.
    """
    scope = cfg.get('default_scope', 'mmengine')
    if scope is not None:
        init_default_scope(scope)
    return scope
