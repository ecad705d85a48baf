"""Faster forms of what is neither convolution nor linear: its time counts once these are fast."""
import copy
from typing import Optional, Protocol, Sequence, Tuple, Union, cast

import torch
from torch import Tensor, nn

from . import ops
from .trace import altered

MAX_BINS = 64       # the kernels'


class RoIAlign(Protocol):
    """mmcv's, which need not be there."""
    output_size: Tuple[int, int]
    spatial_scale: float
    sampling_ratio: int
    aligned: bool
    pool_mode: str
    use_torchvision: bool

    def __call__(self, input: Tensor, rois: Tensor) -> Tensor: ...


class FastMaxPool2d(ops.Module):
    """``nn.MaxPool2d`` with vectors, which PyTorch has in ``channels_last`` only.

    Other types than float32 are left to PyTorch.
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = (
            _pair(value) for value in (pool.kernel_size, pool.stride, pool.padding, pool.dilation))
        self.ceil_mode = pool.ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return torch.ops.mmlth.max_pool2d(input, self.kernel_size, self.stride, self.padding,
                                          self.dilation, self.ceil_mode)

    def extra_repr(self) -> str:
        return (f'kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, '
                f'dilation={self.dilation}, ceil_mode={self.ceil_mode}')


class FastRoIAlign(ops.Module):
    """mmcv's ``RoIAlign`` of averages, with vectors and threads; mmcv's has neither.

    Other types than float32 are left to mmcv's.
    """

    def __init__(self, align: RoIAlign) -> None:
        super().__init__()
        self.original = copy.deepcopy(align)    # itself is what this form takes the place of
        self.output_size, self.spatial_scale = tuple(align.output_size), align.spatial_scale
        self.sampling_ratio, self.aligned = align.sampling_ratio, align.aligned

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        if not input.dtype == rois.dtype == torch.float32:
            return self.original(input, rois)
        return torch.ops.mmlth.roi_align(input, rois, self.output_size, self.spatial_scale,
                                         self.sampling_ratio, self.aligned)

    def extra_repr(self) -> str:
        return (f'output_size={self.output_size}, spatial_scale={self.spatial_scale}, '
                f'sampling_ratio={self.sampling_ratio}, aligned={self.aligned}')


def _pair(value: Union[int, Sequence[int]]) -> Tuple[int, int]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values[0], values[-1]


def other_form(module: nn.Module) -> Optional[nn.Module]:
    """The faster form of a module that has one, else None."""
    if altered(module):
        return None
    if type(module) is nn.MaxPool2d and not module.return_indices:
        return FastMaxPool2d(module).eval()
    if f'{type(module).__module__}.{type(module).__name__}' == 'mmcv.ops.roi_align.RoIAlign':
        align = cast(RoIAlign, module)
        if (align.pool_mode == 'avg' and not align.use_torchvision
                and max(align.output_size) <= MAX_BINS):
            return FastRoIAlign(align).eval()
    return None
