"""What can be found wrong before anything is built or written."""
import os
from pathlib import Path
from typing import Any, List, Mapping

from mmengine.config import Config
from mmengine.model import MMSeparateDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS, OPTIM_WRAPPERS, DefaultScope
from torch.nn.parallel import DistributedDataParallel

from mmlth.core.errors import UserError

from ..hook_configs import build_hook
from ..hooks import PruneHook
from ..masked_optim_wrapper import MaskAware
from ..optimizer_check import check_configured
from ..types import class_of_config, name_of
from .data_check.first_look import check_annotation_files
from .data_paths import data_paths
from .given import check_given
from .lottery_spec import LotterySpec
from .rounds import check_names, place_in_chain

_MASKED = ("'mmlth.MaskedOptimWrapper', or for AMP 'mmlth.MaskedAmpOptimWrapper' "
           '(tools/train.py --amp sets it)')
# Some are registered only where their library is installed.
_REFUSED = dict(
    OptimWrapperDict='a ticket is trained with one optimizer',
    ApexOptimWrapper="Apex's mixed precision changes the optimizer; PyTorch's own is supported",
    DeepSpeedOptimWrapper='DeepSpeed partitions the weights, which masks do not follow',
    ColossalAIOptimWrapper='ColossalAI partitions the weights, which masks do not follow')


def check_config(cfg: Config) -> LotterySpec:
    """Raise a UserError for what a lottery cannot be run with, missing data included.

    Returns:
        LotterySpec: What its hooks are set to.
    """
    spec = check_settings(cfg)
    check_data(cfg)
    return spec


def check_settings(cfg: Config) -> LotterySpec:
    """Raise a UserError for settings that a lottery cannot be run with."""
    spec = LotterySpec.of(cfg)
    check_names(cfg)
    build_hook(cfg, PruneHook, **place_in_chain(spec, '', 0))      # a subclass must take these
    check_optim_wrapper(cfg, spec)
    check_training(cfg)
    spec.check(cfg)
    check_given(cfg, spec)
    check_parallel(cfg)
    return spec


def check_training(cfg: Config) -> None:
    """A lottery trains: mmengine wants all three of these, and the optimizer too."""
    missing = [key for key in ('train_cfg', 'train_dataloader') if not cfg.get(key)]
    optim_wrapper = cfg.get('optim_wrapper') or {}
    if not optim_wrapper.get('optimizer') and not wrappers_of(optim_wrapper):
        missing.append('optim_wrapper.optimizer')
    if missing:
        raise UserError(
            f'this config has no training: {", ".join(missing)} is not set, so there is nothing '
            'to draw a ticket from. Some configs only evaluate what others train: use the '
            'config of that training.')


def wrappers_of(optim_wrapper: Mapping[str, Any]) -> List[str]:
    """The keys of an ``optim_wrapper`` that are optim wrappers themselves, if there are any."""
    return [key for key, value in optim_wrapper.items()
            if key not in ('optimizer', 'clip_grad', 'paramwise_cfg')
            and isinstance(value, dict) and {'type', 'optimizer'} & set(value)]


def check_optim_wrapper(cfg: Config, spec: LotterySpec) -> None:
    """Round 1 would fail after hours, or bring pruned weights back: tell before round 0."""
    optim_wrapper = cfg.get('optim_wrapper') or {}
    several = wrappers_of(optim_wrapper)
    kind = optim_wrapper.get('type', 'OptimWrapper')
    name = 'OptimWrapperDict' if several else name_of(kind)
    if name in _REFUSED:
        what = (f'{", ".join(several)} of optim_wrapper make an OptimWrapperDict' if several
                else f'optim_wrapper.type is {name!r}')
        raise UserError(f'{what}: {_REFUSED[name]}. Use {_MASKED}.')
    wrapper = class_of_config(OPTIM_WRAPPERS, {**optim_wrapper, 'type': kind},
                              cfg.get('default_scope'))
    if wrapper is None:
        raise UserError(f'optim_wrapper.type is {kind!r}, a name that is not registered: '
                        f'mistyped, or missing from custom_imports. Use {_MASKED}.')
    if not issubclass(wrapper, MaskAware):
        raise UserError(f'optim_wrapper.type is {name!r}, which is not mask-aware: it would '
                        f'bring pruned weights back. Use {_MASKED}.')
    optimizer = optim_wrapper.get('optimizer') or {}
    if name_of(optimizer.get('type')) == 'ZeroRedundancyOptimizer':
        raise UserError(
            'optim_wrapper.optimizer.type is ZeroRedundancyOptimizer, which updates by an '
            'optimizer of its own and would bring pruned weights back. Use what it wraps, '
            f'type={(optimizer.get("optimizer_type") or "SGD")!r}: after '
            'pruning the state takes density times the memory anyway.')
    if optimizer:
        check_configured(cfg, moved=spec.rewind.schedule == 'resume',
                         grows=spec.prune.update is not None and spec.prune.update.grows)


def check_parallel(cfg: Config) -> None:
    """Masks are kept on one device and under DistributedDataParallel."""
    use = ('masks are kept on one device or under MMDistributedDataParallel only. Leave '
           '{} out: with --launcher MMDistributedDataParallel is used by itself.')
    strategy = cfg.get('strategy')
    if strategy:
        name = name_of(strategy.get('type')) if isinstance(strategy, dict) else strategy
        raise UserError(f"strategy is {name!r}, one of FlexibleRunner's: "
                        + use.format('strategy'))
    model_wrapper = {'type': 'MMDistributedDataParallel', **(cfg.get('model_wrapper_cfg') or {})}
    kind = model_wrapper['type']
    wrapper = class_of_config(MODEL_WRAPPERS, model_wrapper, cfg.get('default_scope'))
    if wrapper is None:
        raise UserError(f'model_wrapper_cfg.type is {kind!r}, a name that is not registered; '
                        + use.format('it'))
    if (not issubclass(wrapper, DistributedDataParallel)
            or issubclass(wrapper, MMSeparateDistributedDataParallel)):
        raise UserError(f'model_wrapper_cfg.type is {name_of(kind)!r}; ' + use.format('it'))


def check_data(cfg: Config) -> None:
    """The local annotation files and image folders that the config names must exist, and the
    files be whole and know its classes."""
    datasets = {loader: (cfg.get(loader) or {}).get('dataset')
                for loader in ('train_dataloader', 'val_dataloader')}
    for loader, dataset in datasets.items():
        for path in data_paths(dataset):
            if not Path(path).exists():
                raise UserError(
                    f'{loader}: the data set is not there: {path} does not exist (current '
                    f'folder: {os.getcwd()}). The README, "Where the data goes", says what '
                    'belongs where; another place is set with --cfg-options '
                    f'{loader}.dataset.data_root=...')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
        check_annotation_files(datasets)
