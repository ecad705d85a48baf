"""What a Runner holds: the bare model, its averaged copies, its wrappers; are its ranks alike?"""
from typing import Any, Dict, List, Mapping, Optional, Tuple

from mmengine.dist import all_gather_object, get_world_size
from mmengine.model import MMSeparateDistributedDataParallel, is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mmlth.core.errors import UserError
from mmlth.core.mask import Mask, with_copies
from mmlth.core.parts import teachers_of

from .masked_optim_wrapper import MaskAware


def bare_model(model: nn.Module) -> nn.Module:
    """The model inside its (DDP) wrapper."""
    return model.get_submodule('module') if is_model_wrapper(model) else model


def ema_copies(runner: Runner) -> List[nn.Module]:
    """The copies of the model that hooks keep as ``ema_model``, bare or in any wrapper."""
    shapes = _shapes(bare_model(runner.model))
    kept = (_copy_in(getattr(hook, 'ema_model', None), shapes) for hook in runner.hooks)
    return [copy for copy in kept if copy is not None]


def _copy_in(kept: Any, shapes: Mapping[str, Tuple[int, ...]]) -> Optional[nn.Module]:
    """What has just these parameters: the module, or what it wraps; None if neither has."""
    return next((model for model in (kept, getattr(kept, 'module', None))
                 if isinstance(model, nn.Module) and _shapes(model) == shapes), None)


def _shapes(model: nn.Module) -> Dict[str, Tuple[int, ...]]:
    return {name: tuple(param.shape) for name, param in model.named_parameters()}


def averages_teacher(hook: Any) -> bool:
    """Whether a hook, or its class, averages a student's weights into a teacher's.

    MMDetection's MeanTeacherHook does, and is known by its method.
    """
    return callable(getattr(hook, 'momentum_update', None))


def mean_teacher(runner: Runner) -> Dict[str, str]:
    """The averaged copies within the model: their names by those of the weights."""
    if not any(map(averages_teacher, runner.hooks)):
        return {}
    return teachers_of(dict(bare_model(runner.model).named_parameters()))


def masked_teacher(runner: Runner, mask: Mapping[str, Tensor]) -> Dict[str, str]:
    """Those of weights with a mask."""
    return {name: copy for name, copy in mean_teacher(runner).items() if name in mask}


def warn_of_teacher(runner: Runner, mask: Mapping[str, Tensor]) -> None:
    """Say that a teacher of the student's shapes, which no known hook averages, stays dense."""
    params = dict(bare_model(runner.model).named_parameters())
    if not any(map(averages_teacher, runner.hooks)) and mask.keys() & teachers_of(params).keys():
        runner.logger.warning(
            'The model has a teacher like its student, and no hook with a method momentum_update '
            "(as MMDetection's MeanTeacherHook): it is taken for a fixed one, and stays dense.")


def all_masked(runner: Runner, mask: Mapping[str, Tensor]) -> List[Tuple[Mask, Dict[str, Tensor]]]:
    """What the masks of the model hold for: it, its mean teacher, and the EMA copies of both.

    Returns:
        list: Of each model its masks, and its parameters by name.
    """
    whole = with_copies(mask, mean_teacher(runner))
    return [(whole, dict(model.named_parameters()))
            for model in (bare_model(runner.model), *ema_copies(runner))]


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
