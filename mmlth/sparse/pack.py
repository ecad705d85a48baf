"""From a weight with zeros to the stream of survivors that the kernels read."""
from dataclasses import dataclass
from typing import Iterator, List, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from .ops import Vectors

MAX_TILE = (7, 8)           # the kernels' (MAX_H, MAX_W)
PACKED_BYTES = 32 << 10     # of a block of input channels: it stays in the L1 cache
MAX_OFFSET = 2 ** 15 - 1    # offsets are 16 bits


@dataclass(frozen=True)
class Geometry:
    """A convolution without its weights; a linear layer is one of 1x1 on maps of 1x1."""
    weight: Tuple[int, int, int, int]       # (out, in / groups, kernel height, kernel width)
    stride: Tuple[int, int] = (1, 1)
    padding: Tuple[int, int] = (0, 0)
    dilation: Tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def sampled(self) -> bool:
        """Whether the pixels that a stride passes over are dropped beforehand."""
        return self.weight[2:] == (1, 1) and self.padding == (0, 0)

    def output(self, size: Sequence[int]) -> Tuple[int, int]:
        """Height and width of the output for an input of ``size``."""
        high, wide = (
            (size[i] + 2 * self.padding[i] - self.dilation[i] * (self.weight[2 + i] - 1) - 1)
            // self.stride[i] + 1 for i in (0, 1))
        return high, wide

    def packed(self, tile: Tuple[int, int]) -> Tuple[int, int]:
        """Height and width of the input of a tile."""
        stride = (1, 1) if self.sampled else self.stride
        high, wide = ((tile[i] - 1) * stride[i] + (self.weight[2 + i] - 1) * self.dilation[i] + 1
                      for i in (0, 1))
        return high, wide


class Plan(NamedTuple):
    """How a layer is cut: outputs per lane (height, width), input channels per block."""
    tile: Tuple[int, int]
    block: int


class Packed(NamedTuple):
    """The surviving weights in the order in which the kernels meet them."""
    values: Tensor      # (n,) float32
    offsets: Tensor     # (n,) int16: where its input stands in the packed block
    starts: Tensor      # (groups * blocks * outputs of a group + 1,) int32


def pack(weight: Tensor, geometry: Geometry, plan: Plan) -> Packed:
    """The survivors of ``weight`` (shape ``geometry.weight``), exactly."""
    out, channels = geometry.weight[:2]
    outs, block = out // geometry.groups, plan.block
    blocks = -(-channels // block)
    o, i, y, x = weight.detach().cpu().reshape(geometry.weight).nonzero(as_tuple=True)
    row = (o // outs * blocks + i // block) * outs + o % outs
    order = row.argsort(stable=True)
    o, i, y, x, row = (index[order] for index in (o, i, y, x, row))
    high, wide = geometry.packed(plan.tile)
    offsets = (i % block * high + y * geometry.dilation[0]) * wide + x * geometry.dilation[1]
    counts = torch.bincount(row, minlength=blocks * out)
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return Packed(weight.detach().cpu().reshape(geometry.weight)[o, i, y, x].float(),
                  offsets.short(), starts.int())


def plans(geometry: Geometry, sizes: Sequence[Sequence[int]], density: float, vectors: Vectors,
          count: int) -> List[Plan]:
    """The plans that should be fastest for inputs of ``sizes`` (batch, height, width).

    By a model of the time, in cycles of one multiply-add a vector; the caller measures
    them. Empty if the layer has no plan: its packed input does not fit 16-bit offsets.
    """
    found = {}
    for tile in _tiles(geometry, vectors.accumulators):
        high, wide = geometry.packed(tile)
        block = min(geometry.weight[1], MAX_OFFSET // (high * wide),
                    max(1, PACKED_BYTES // (4 * vectors.lanes * high * wide)))
        if block:
            plan = Plan(tile, block)
            found[plan] = sum(_cycles(geometry, plan, size, density, vectors) for size in sizes)
    return sorted(found, key=found.__getitem__)[:count]


def _tiles(geometry: Geometry, accumulators: int) -> Iterator[Tuple[int, int]]:
    across = 1 if geometry.stride[1] > 2 and not geometry.sampled else MAX_TILE[1]
    for high in range(1, (1 if geometry.sampled else MAX_TILE[0]) + 1):
        for wide in range(1, across + 1):
            if high * wide <= accumulators:
                yield high, wide


def _cycles(geometry: Geometry, plan: Plan, size: Sequence[int], density: float,
            vectors: Vectors) -> float:
    """About how long the layer takes; the constants are fitted to measured layers."""
    out, channels = geometry.weight[:2]
    survivors = density * out * channels * geometry.weight[2] * geometry.weight[3]
    outputs = plan.tile[0] * plan.tile[1]
    high, wide = geometry.packed(plan.tile)
    height, width = geometry.output(size[1:])
    if geometry.sampled:
        units, move = -(-size[0] * height * width // (vectors.lanes * outputs)), 8
    else:
        tiles = size[0] * -(-height // plan.tile[0]) * -(-width // plan.tile[1])
        # Rows of four floats are transposed best.
        units, move = -(-tiles // vectors.lanes), 28 if plan.tile[1] == 4 else 40
    blocks = -(-channels // plan.block)
    return units * (survivors * (outputs + 2) + blocks * out * (5 * outputs + 6)
                    + move * (channels * geometry.groups * high * wide + out * outputs))


def unpack(packed: Packed, geometry: Geometry, plan: Plan) -> Tensor:
    """The dense weight (shape ``geometry.weight``) of what :func:`pack` has made."""
    out, channels = geometry.weight[:2]
    outs, blocks = out // geometry.groups, -(-channels // plan.block)
    counts = packed.starts.diff().long()
    row = torch.repeat_interleave(torch.arange(len(counts)), counts)
    o = row // (outs * blocks) * outs + row % outs
    high, wide = geometry.packed(plan.tile)
    offsets = packed.offsets.long()
    i = row // outs % blocks * plan.block + offsets // (high * wide)
    y = offsets // wide % high // geometry.dilation[0]
    x = offsets % wide // geometry.dilation[1]
    weight = packed.values.new_zeros(geometry.weight)
    weight[o, i, y, x] = packed.values
    return weight
