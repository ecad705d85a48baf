"""Layers that hold their surviving weights alone."""
from typing import Any, Dict, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from . import ops
from .pack import Geometry, Packed, Plan, pack, plans, unpack

USUAL = (1, 64, 64)     # (batch, height, width) to choose a plan for if the example is not there


class SparseLayer(ops.Module):
    """What both layers share: the packed weights, as buffers, and the dense one on demand."""
    values: Tensor
    offsets: Tensor
    starts: Tensor
    cut: Tensor         # the plan's three numbers: what is packed means nothing without them
    bias: Optional[Tensor]

    def __init__(self, weight: Tensor, bias: Optional[Tensor], geometry: Geometry,
                 plan: Plan) -> None:
        super().__init__()
        self.geometry = geometry
        self._pack(weight, plan)
        self.register_buffer('bias', None if bias is None else bias.detach().float().clone())

    def _pack(self, weight: Tensor, plan: Plan) -> None:
        self.plan = plan
        for name, tensor in pack(weight, self.geometry, plan)._asdict().items():
            self.register_buffer(name, tensor)
        self.register_buffer('cut', torch.tensor([*plan.tile, plan.block]))

    def fit(self) -> None:
        """Pack anew if the tile is too large for the kernels in use: others have more registers."""
        vectors = ops.use_kernels()
        if self.plan.tile[0] * self.plan.tile[1] > vectors.accumulators:
            self._pack(self.weight, plans(self.geometry, [USUAL], self.density, vectors, 1)[0])

    def __setstate__(self, state: Dict[str, Any]) -> None:
        super().__setstate__(state)
        self.fit()

    def _load_from_state_dict(self, *args: Any) -> None:
        """With the weights comes how they are packed."""
        super()._load_from_state_dict(*args)
        high, wide, block = self.cut.tolist()
        self.plan = Plan((high, wide), block)
        self.fit()

    def arguments(self) -> Tuple[Tensor, Tensor, Tensor, Optional[Tensor]]:
        """Values, offsets, starts and bias."""
        return self.values, self.offsets, self.starts, self.bias

    @property
    def density(self) -> float:
        """The share of the weights that survives."""
        out, channels, high, wide = self.geometry.weight
        return self.values.numel() / max(1, out * channels * high * wide)

    @property
    def weight(self) -> Tensor:
        """The dense weight, made anew: a change to it changes nothing."""
        return unpack(Packed(self.values, self.offsets, self.starts), self.geometry, self.plan)


class SparseConv2d(SparseLayer):
    """``nn.Conv2d`` for inference in float32 on the CPU; under autocast its result is cast."""

    def __init__(self, conv: nn.Conv2d, plan: Plan) -> None:
        super().__init__(conv.weight, conv.bias, conv_geometry(conv), plan)
        self.in_channels, self.out_channels = conv.in_channels, conv.out_channels
        self.kernel_size, self.stride, self.groups = conv.kernel_size, conv.stride, conv.groups
        self.padding, self.dilation = self.geometry.padding, conv.dilation

    def forward(self, input: Tensor) -> Tensor:
        g = self.geometry
        return torch.ops.mmlth.sparse_conv2d(
            input, *self.arguments(), g.weight, g.stride, g.padding, g.dilation, g.groups,
            self.plan.tile, self.plan.block)

    def extra_repr(self) -> str:
        return (f'{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, '
                f'stride={self.stride}, density={self.density:.3f}')


class SparseLinear(SparseLayer):
    """``nn.Linear`` for inference in float32 on the CPU; under autocast its result is cast."""

    def __init__(self, linear: nn.Linear, plan: Plan) -> None:
        super().__init__(linear.weight, linear.bias, linear_geometry(linear), plan)
        self.in_features, self.out_features = linear.in_features, linear.out_features

    @property
    def weight(self) -> Tensor:
        return super().weight.flatten(1)

    def forward(self, input: Tensor) -> Tensor:
        return torch.ops.mmlth.sparse_linear(
            input, *self.arguments(), self.in_features, self.out_features, self.plan.tile[1],
            self.plan.block)

    def extra_repr(self) -> str:
        return f'{self.in_features}, {self.out_features}, density={self.density:.3f}'


def conv_geometry(conv: nn.Conv2d) -> Geometry:
    """Of a convolution whose padding is numbers or 'valid'."""
    out, channels, high, wide = conv.weight.shape
    padding = (0, 0) if isinstance(conv.padding, str) else _pair(conv.padding)
    return Geometry((out, channels, high, wide), _pair(conv.stride), padding,
                    _pair(conv.dilation), conv.groups)


def _pair(values: Sequence[int]) -> Tuple[int, int]:
    return values[0], values[1]


def linear_geometry(linear: nn.Linear) -> Geometry:
    """A linear layer as a convolution of maps of 1x1."""
    return Geometry((linear.out_features, linear.in_features, 1, 1))
