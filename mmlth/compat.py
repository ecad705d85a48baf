"""What released OpenMMLab packages need on a newer PyTorch; nothing else lives here.

Imported with the first look-up of an ``mmlth.`` type, so it takes effect under stock
MMDetection and MMPose tools too. Each part does nothing where upstream is fine.
"""
import importlib
import sys
from types import ModuleType

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version


def apply() -> None:
    """Apply all parts; harmless when called again."""
    allow_mmengine_checkpoints()
    replace_missing_torchvision()


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read the checkpoints mmengine writes.

    They hold the message hub, whose history buffers PyTorch >= 2.6 refuses on resume
    (https://github.com/open-mmlab/mmengine/pull/1650). The exact classes are
    allowed and ``weights_only`` stays on.
    """
    if digit_version(torch.__version__) < digit_version('2.6.0'):
        return
    core = np.core if np.lib.NumpyVersion(np.__version__) < '2.0.0' else np._core
    allowed = [HistoryBuffer, np.ndarray, np.dtype, slice,
               # Bound statistics of a HistoryBuffer are pickled as
               # getattr(HistoryBuffer, 'min'); this is all that getattr may do.
               (_statistic_of_history_buffer, 'builtins.getattr')]
    for name in ('_reconstruct', 'scalar'):
        function = getattr(core.multiarray, name)
        # numpy 1 and 2 write different module names for one function.
        allowed += [(function, f'numpy.core.multiarray.{name}'),
                    (function, f'numpy._core.multiarray.{name}')]
    allowed += [type(np.dtype(kind)) for kind in ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8',
                                                  'u1', 'u2', 'u4', 'u8', 'b1')]
    torch.serialization.add_safe_globals(allowed)


def _statistic_of_history_buffer(owner, name):
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise ValueError(f'a checkpoint asks for the attribute {name!r} of {owner!r}: refused')
    return getattr(HistoryBuffer, name)


def replace_missing_torchvision() -> None:
    """Stand in for torchvision where it is missing or does not import.

    A torchvision built for another PyTorch fails with ``operator torchvision::nms does
    not exist`` (https://github.com/pytorch/vision/issues/9085) and takes mmengine's and
    mmpose's imports with it. mmpose needs ``transforms.ToPILImage`` of it; mmengine
    needs its version, and an empty ``models`` to look up ``torchvision://resnet18`` in
    its own list of URLs.
    """
    try:
        importlib.import_module('torchvision')
        return
    except (ImportError, RuntimeError, OSError, AttributeError):
        for name in [n for n in sys.modules if n.split('.')[0] == 'torchvision']:
            del sys.modules[name]
    package = ModuleType('torchvision', 'A stand-in by mmlth.compat.')
    package.__version__ = '0.13.0'
    package.__path__ = []
    for name in ('models', 'transforms'):
        module = ModuleType(f'torchvision.{name}', package.__doc__)
        setattr(package, name, module)
        sys.modules[module.__name__] = module
    package.transforms.ToPILImage = _ToPILImage
    sys.modules['torchvision'] = package


class _ToPILImage:
    """A float tensor (C, H, W) or (H, W) in [0, 1], or a uint8 array, as a PIL image."""

    def __call__(self, picture):
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
