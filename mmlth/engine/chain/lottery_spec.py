"""What a lottery was set to, in plain values, for those who read it without its packages."""
from typing import Any, Dict

from mmengine.config import Config

from ..hook_configs import build_hook, class_of, find_hook
from ..hooks import EarlyBirdHook, PruneHook, RewindHook, TicketHook
from ..types import name_of


def lottery_settings(cfg: Config) -> Dict[str, Any]:
    """Every argument of PruneHook and RewindHook as the config's hooks have it, flat.

    ``early_bird`` has those of the EarlyBirdHook; it is None without one.
    """
    early_bird = build_hook(cfg, EarlyBirdHook)
    settings: Dict[str, Any] = {}
    for kind in (PruneHook, RewindHook):
        hook = build_hook(cfg, kind)
        settings.update(hook.given if hook else {})
    return dict(settings, early_bird=early_bird and early_bird.given)


def own_classes(cfg: Config) -> Dict[str, str]:
    """Of the config's hooks that are subclasses of ours: its bare name there -> ours."""
    found = {}
    for kind in (PruneHook, RewindHook, EarlyBirdHook, TicketHook):
        hook = find_hook(cfg, kind)
        if hook is not None and class_of(cfg, hook) is not kind:
            found[name_of(hook.get('type'))] = kind.__name__
    return found
