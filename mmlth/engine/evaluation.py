"""The config that evaluates what a training has made."""
import copy

from mmengine.config import Config

from .hook_configs import drop_hooks
from .hooks import EarlyBirdHook, PruneHook, RewindHook, TicketHook


def evaluation_config(cfg: Config) -> Config:
    """The config for an ordinary Runner that only evaluates."""
    cfg = copy.deepcopy(cfg)
    drop_chain(cfg)
    drop_hooks(cfg, PruneHook, RewindHook, EarlyBirdHook, TicketHook)
    return cfg


def drop_chain(cfg: Config) -> None:
    """Remove what is the LotteryRunner's alone."""
    for key in ('runner_type', 'latency'):
        cfg.pop(key, None)
