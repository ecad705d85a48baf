"""Hooks that begin something within a training, and what a training that goes on makes of them."""
import logging
from typing import Any, Dict, Mapping

from mmengine.config import Config
from mmengine.logging import print_log

from ..hook_configs import all_settings

# When it begins, and the number of the first epoch or iteration by that setting.
_BEGINS = dict(begin_epoch=1, begin_iter=1, switch_epoch=0, switch_iter=0)
_LAST = 'num_last_epochs'
_UNITS = {'epoch', 'epochs', 'iter', 'iters'}


def begin_at_once(cfg: Config, dense: Mapping[str, Any]) -> None:
    """Let hooks begin with what they had begun by the end of the dense training.

    Moving averages (``begin_epoch``, ``begin_iter``) and switches of the pipeline and the loss
    (``switch_epoch``, ``switch_iter``, ``num_last_epochs``); one that the dense training does not
    come to stays. A number in the loop's other unit it is taken to come to.

    Args:
        cfg: Of the training that goes on from that end, with its own length.
        dense: The ``train_cfg`` of the dense training.
    """
    epochs = cfg.train_cfg.get('max_epochs')
    for hook, _, settings in all_settings(cfg):
        for key, value in _times(settings).items() if isinstance(hook, dict) else ():
            if key in _BEGINS:
                total = dense.get('max_epochs' if key.endswith('epoch') else 'max_iters')
                if not total or value < total + _BEGINS[key]:
                    hook[key] = 0
            # Some begin in just the epoch that this names, which is the first one then.
            elif key == _LAST and epochs and value < dense['max_epochs']:
                hook[key] = epochs - 1


def warn_of_times(cfg: Config) -> None:
    """Name the hooks that count epochs or iterations in settings that nobody here knows."""
    found = []
    for hook, name, settings in all_settings(cfg):
        known = (*_BEGINS, _LAST) if isinstance(hook, dict) else ()
        found += [f'{name}({key}={value!r})'
                  for key, value in _times(settings).items() if key not in known]
    if found:
        print_log(
            "RewindHook(mode='finetune') goes on from the end of the dense training, but "
            f'{", ".join(found)} will count the epochs and iterations of the fine-tuning alone, '
            'from 0: what such a hook had changed by that end (a pipeline, a loss, learning rates) '
            'is as at the beginning. If that matters, take another mode, or a hook that begins at '
            'once.', 'current', logging.WARNING)


def _times(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Those settings of a hook that are numbers of epochs or iterations, or hold such.

    Not 0, the beginning, but where it is counted from the end.
    """
    return {key: value for key, value in settings.items()
            if _UNITS & set(key.split('_')) and 'interval' not in key
            and type(value) is not bool and isinstance(value, (int, float, dict, list, tuple))
            and (value or key == _LAST)}
