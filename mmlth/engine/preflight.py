"""What can be found wrong before anything is built or written."""
import copy
import os
from pathlib import Path
from typing import Iterator, List

from mmengine.config import Config
from mmengine.registry import HOOKS, OPTIM_WRAPPERS

from mmlth.core.errors import UserError

from .masked_optim_wrapper import MaskAware
from .rounds import hook_config


def check_config(cfg: Config) -> None:
    """Raise a UserError for what a lottery cannot be run with."""
    for name, why in (('PruneHook', 'to draw tickets'),
                      ('RewindHook', 'to save what they are rewound to')):
        hook = hook_config(cfg, name)
        if hook is None:
            raise UserError(
                f"LotteryRunner needs a {name} {why}; add dict(type='mmlth.{name}', ...) "
                'to default_hooks')
        args = copy.deepcopy(hook)
        args.pop('priority', None)
        try:
            HOOKS.build(args)
        except TypeError as error:
            raise UserError(f'{name}: {error}') from None
    check_optim_wrapper(cfg)
    check_data(cfg)


def count_rounds(cfg: Config) -> int:
    """Number of the last round."""
    hook = hook_config(cfg, 'PruneHook')
    sparsity = hook.get('sparsity')
    return len(sparsity) if isinstance(sparsity, (list, tuple)) else hook.get('rounds', 1)


def check_optim_wrapper(cfg: Config) -> None:
    """Round 1 would fail after hours: tell before round 0."""
    name = cfg.optim_wrapper.get('type', 'OptimWrapper')
    wrapper = OPTIM_WRAPPERS.get(name) if isinstance(name, str) else name
    if wrapper is None or not issubclass(wrapper, MaskAware):
        raise UserError(
            f'optim_wrapper.type is {name!r}, which is not mask-aware: it would bring '
            "pruned weights back. Use 'mmlth.MaskedOptimWrapper', or for AMP "
            "'mmlth.MaskedAmpOptimWrapper' (tools/train.py --amp sets it).")
    model_wrapper = (cfg.get('model_wrapper_cfg') or {}).get('type', '')
    if 'Distributed' not in str(model_wrapper) and model_wrapper:
        raise UserError(
            f'model_wrapper_cfg.type is {model_wrapper!r}; masks are kept under plain or '
            'DistributedDataParallel training only')


def check_data(cfg: Config) -> None:
    """The local annotation files and image folders that the config names must exist."""
    for loader in ('train_dataloader', 'val_dataloader'):
        for path in _data_paths((cfg.get(loader) or {}).get('dataset') or {}):
            if not Path(path).exists():
                raise UserError(
                    f'{loader}: the data set is not there: {path} does not exist (current '
                    f'folder: {os.getcwd()}). The README, "Where the data goes", says what '
                    'belongs where; another place is set with --cfg-options '
                    f'{loader}.dataset.data_root=...')


def _data_paths(dataset) -> Iterator[str]:
    inner: List[dict] = [dataset['dataset']] if 'dataset' in dataset else []
    inner += dataset.get('datasets') or []
    for part in inner:
        yield from _data_paths(part)
    root, ann_file = dataset.get('data_root') or '', dataset.get('ann_file')
    local = not dataset.get('backend_args') and '://' not in f'{root}{ann_file}'
    if isinstance(ann_file, str) and ann_file and local:
        yield os.path.join(root, ann_file)
        for prefix in (dataset.get('data_prefix') or {}).values():
            if isinstance(prefix, str) and prefix:
                yield os.path.join(root, prefix)
