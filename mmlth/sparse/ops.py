"""The operators ``torch.ops.mmlth``, their shapes for torch.compile and torch.export."""
from functools import lru_cache
from typing import Any, Dict, NamedTuple, Optional, Sequence

import torch
from torch import Tensor, nn

from mmlth.core.errors import UserError

from . import build, trace

# Every PyTorch asks here, `register_fake` is from 2.4 on; the shapes hold while this lives.
_shapes = torch.library.Library('mmlth', 'IMPL', 'Meta')


class Vectors(NamedTuple):
    """What the kernels in use compute with."""
    lanes: int              # floats in a vector
    accumulators: int       # the most outputs of a tile


@lru_cache(maxsize=None)
def unavailable() -> Optional[str]:
    """None when the operators are there, else the sentence that says why not."""
    if not trace.WATCHES:
        return ('what a model does with its weights cannot be seen before PyTorch 2.0, so all '
                'layers stay dense')
    reason = build.unavailable()
    if reason is None:
        _shapes.impl('sparse_conv2d', _conv2d_shape)
        _shapes.impl('sparse_linear', _linear_shape)
        _shapes.impl('roi_align', _align_shape)
        _shapes.impl('max_pool2d', _pool_shape)
    return reason


def load() -> None:
    """Load the operators, for a model that has been made sparse elsewhere.

    Raises:
        UserError: They are not there.
    """
    reason = unavailable()
    if reason is not None:
        raise UserError(f'this model was saved sparse and cannot run here ({reason}): load it '
                        'where the kernels can be built, or save the dense model')


class Module(nn.Module):
    """One that calls the operators: where it is unpickled, in whatever process, they are loaded."""

    def __setstate__(self, state: Dict[str, Any]) -> None:
        super().__setstate__(state)
        load()


def use_kernels(name: str = '') -> Vectors:
    """Choose ``avx512``, ``avx2``, ``baseline`` or ``fastest``; '' keeps those in use.

    The fastest that this processor can run are in use from the start. A layer that was packed
    for others may not have the best tiles and blocks; one whose tile is too large is refused
    until it is copied, loaded or fitted (:meth:`mmlth.sparse.layers.SparseLayer.fit`).
    """
    return Vectors(*torch.ops.mmlth.use_kernels(name))


def _conv2d_shape(input: Tensor, values: Tensor, offsets: Tensor, starts: Tensor,
                  bias: Optional[Tensor], weight: Sequence[int], stride: Sequence[int],
                  padding: Sequence[int], dilation: Sequence[int], groups: int,
                  tile: Sequence[int], block: int) -> Tensor:
    size = [(input.shape[i - 2] + 2 * padding[i] - dilation[i] * (weight[2 + i] - 1) - 1)
            // stride[i] + 1 for i in (0, 1)]
    return input.new_empty(*input.shape[:-3], weight[0], *size)


def _linear_shape(input: Tensor, values: Tensor, offsets: Tensor, starts: Tensor,
                  bias: Optional[Tensor], in_features: int, out_features: int, tile: int,
                  block: int) -> Tensor:
    return input.new_empty(*input.shape[:-1], out_features)


def _align_shape(input: Tensor, boxes: Tensor, size: Sequence[int], scale: float,
                 samples: int, aligned: bool) -> Tensor:
    return input.new_empty(boxes.shape[0], input.shape[1], *size)


def _pool_shape(input: Tensor, kernel: Sequence[int], stride: Sequence[int],
                padding: Sequence[int], dilation: Sequence[int], ceil: bool) -> Tensor:
    size = []
    for i in (0, 1):
        room = input.shape[i - 2] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1
        count = (room + (stride[i] - 1 if ceil else 0)) // stride[i] + 1
        size.append(count - (ceil and (count - 1) * stride[i] >= input.shape[i - 2] + padding[i]))
    return input.new_empty(*input.shape[:-2], *size)
