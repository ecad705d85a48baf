"""What released OpenMMLab packages need on a newer PyTorch; nothing else lives here.

Imported with the first look-up of an ``mmlth.`` type, so it takes effect under stock
MMDetection and MMPose tools too. Each part does nothing where upstream is fine.
"""
import importlib
import sys
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, Type, Union

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version

from mmlth.core import unpickler

if TYPE_CHECKING:
    from PIL import Image


def apply() -> None:
    """Apply all parts; harmless when called again."""
    allow_mmengine_checkpoints()
    replace_missing_torchvision()


def allow_mmengine_checkpoints() -> None:
    """Let our own unpickler and ``torch.load(weights_only=True)`` read mmengine's checkpoints.

    They hold the message hub, whose history buffers PyTorch >= 2.6 refuses on resume
    (https://github.com/open-mmlab/mmengine/pull/1650). The exact classes are
    allowed and ``weights_only`` stays on.
    """
    unpickler.allow('mmengine.logging.history_buffer.HistoryBuffer', HistoryBuffer,
                    (HistoryBuffer, _fill_history_buffer))
    unpickler.allow('mmengine.config.config.ConfigDict', ConfigDict)
    if digit_version(torch.__version__) < digit_version('2.6.0'):
        return
    core = 'numpy.core' if np.lib.NumpyVersion(np.__version__) < '2.0.0' else 'numpy._core'
    allowed = [HistoryBuffer, np.ndarray, np.dtype, slice,
               # Bound statistics of a HistoryBuffer are pickled as
               # getattr(HistoryBuffer, 'min'); this is all that getattr may do.
               (_statistic_of_history_buffer, 'builtins.getattr')]
    for name in ('_reconstruct', 'scalar'):
        function = getattr(importlib.import_module(f'{core}.multiarray'), name)
        # numpy 1 and 2 write different module names for one function.
        allowed += [(function, f'numpy.core.multiarray.{name}'),
                    (function, f'numpy._core.multiarray.{name}')]
    allowed += [type(np.dtype(kind)) for kind in ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8',
                                                  'u1', 'u2', 'u4', 'u8', 'b1')]
    torch.serialization.add_safe_globals(allowed)


def _fill_history_buffer(buffer: HistoryBuffer, state: dict) -> None:
    """Without the statistics, which are functions, and those of the class."""
    buffer.__dict__.update({key: value for key, value in state.items() if key in (
        'max_length', '_log_history', '_count_history')})


def _statistic_of_history_buffer(owner: Any, name: str) -> Any:
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise ValueError(f'a checkpoint asks for the attribute {name!r} of {owner!r}: refused')
    return getattr(HistoryBuffer, name)


def replace_missing_torchvision() -> None:
    """Stand in for torchvision where it is missing or does not import.

    A torchvision built for another PyTorch fails with ``operator torchvision::nms does
    not exist`` (https://github.com/pytorch/vision/issues/9085) and takes mmengine's,
    mmpose's and mmpretrain's imports with it. mmpose needs ``transforms.ToPILImage`` of it,
    mmpretrain ``functional.pil_to_tensor``, and for its imports alone some more names, which
    say when they are used that torchvision is missing; mmengine needs its version, and an
    empty ``models`` to look up ``torchvision://resnet18`` in its own list of URLs.
    """
    try:
        importlib.import_module('torchvision')
        return
    except (ImportError, RuntimeError, OSError, AttributeError):
        for name in [n for n in sys.modules if n.split('.')[0] == 'torchvision']:
            del sys.modules[name]
    _stand_in('torchvision', __version__='0.13.0')
    _stand_in('torchvision.models')
    _stand_in('torchvision.transforms', ToPILImage=_ToPILImage,
              RandomResizedCrop=_RandomResizedCrop)
    _stand_in('torchvision.transforms.transforms', InterpolationMode=_InterpolationMode)
    _stand_in('torchvision.transforms.functional', pil_to_tensor=_pil_to_tensor)
    _stand_in('torchvision.ops')
    _stand_in('torchvision.ops.boxes')


def _stand_in(name: str, **content: Any) -> ModuleType:
    """Register a module, also as an attribute of its parent; what it lacks, it says."""
    module = ModuleType(name, 'A stand-in by mmlth.compat.')
    module.__path__ = []
    module.__dict__.update(content, __getattr__=lambda attribute: _raise_missing(
        AttributeError, f'{name}.{attribute}'))
    parent, _, child = name.rpartition('.')
    if parent:
        setattr(sys.modules[parent], child, module)
    sys.modules[name] = module
    return module


def _raise_missing(kind: Type[Exception], name: str) -> NoReturn:
    raise kind(f'{name} needs torchvision, which is missing here or does not fit the installed '
               'PyTorch (mmlth.compat stands in for the little that OpenMMLab imports of it). '
               'Install the torchvision that belongs to it.')


class _RandomResizedCrop:
    """mmpretrain derives a class from it."""

    def __init__(self, *args: Any, **kwargs: Any):
        _raise_missing(ImportError, 'torchvision.transforms.RandomResizedCrop')


class _InterpolationMode(Enum):
    NEAREST = 'nearest'
    BILINEAR = 'bilinear'
    BICUBIC = 'bicubic'
    BOX = 'box'
    HAMMING = 'hamming'
    LANCZOS = 'lanczos'


def _pil_to_tensor(picture: 'Image.Image') -> torch.Tensor:
    """A PIL image as a tensor (C, H, W) of its own type, unscaled."""
    array = np.array(picture)
    array = array[:, :, None] if array.ndim == 2 else array
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


class _ToPILImage:
    """A float tensor (C, H, W) or (H, W) in [0, 1], or a uint8 array, as a PIL image."""

    def __call__(self, picture: Union[torch.Tensor, np.ndarray]) -> 'Image.Image':
        from PIL import Image
        if isinstance(picture, torch.Tensor):
            if picture.is_floating_point():
                picture = picture.mul(255).byte()
            picture = picture.cpu().numpy()
            if picture.ndim == 3:
                picture = picture.transpose(1, 2, 0)
        if picture.ndim == 3 and picture.shape[2] == 1:
            picture = picture[:, :, 0]
        return Image.fromarray(picture)
