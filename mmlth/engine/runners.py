"""What a Runner holds: the bare model, its averaged copies, its wrappers; are its ranks alike?"""
from typing import List

from mmengine.dist import all_gather_object, get_world_size
from mmengine.model import MMSeparateDistributedDataParallel, is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmlth.core.errors import UserError

from .masked_optim_wrapper import MaskAware


def bare_model(model: nn.Module) -> nn.Module:
    """The model inside its (DDP) wrapper."""
    return model.get_submodule('module') if is_model_wrapper(model) else model


def ema_copies(runner: Runner) -> List[nn.Module]:
    """The averaged copies of the model that its EMA hooks keep."""
    return [hook.ema_model.module for hook in runner.hooks if hasattr(hook, 'ema_model')]


def check_mask_aware(optim_wrapper: OptimWrapper) -> None:
    """Raise a UserError unless the wrapper keeps pruned weights at zero."""
    if not isinstance(optim_wrapper, MaskAware):
        raise UserError(
            f'the optim wrapper {type(optim_wrapper).__name__} is not mask-aware: it would '
            "bring pruned weights back. Set optim_wrapper.type to "
            "'mmlth.MaskedOptimWrapper', or to 'mmlth.MaskedAmpOptimWrapper' for AMP "
            '(mmdet\'s own tools/train.py --amp overwrites it; use ours).')


def check_model_wrapper(model: nn.Module) -> None:
    """Raise a UserError unless the model is bare or in DistributedDataParallel."""
    if is_model_wrapper(model) and (not isinstance(model, DistributedDataParallel)
                                    or isinstance(model, MMSeparateDistributedDataParallel)):
        raise UserError(
            f'the model wrapper {type(model).__name__} partitions or splits the model, which masks '
            'do not follow; use MMDistributedDataParallel')


def check_same_on_all_ranks(digest: str) -> None:
    """Raise a RuntimeError on every rank if their masks differ."""
    if get_world_size() > 1:
        digests = all_gather_object(digest)
        if len(set(digests)) > 1:
            raise RuntimeError(
                f'the ranks hold different masks: {digests}. Do all of them read the '
                'same ticket file?')
