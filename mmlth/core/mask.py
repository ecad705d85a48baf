"""Masks: ``{parameter name: BoolTensor}``, True where the weight survives."""
import hashlib
import math
import zlib
from typing import Dict, List, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from .errors import UserError

Mask = Dict[str, Tensor]

# What few bytes may become: deflated masks alone give a file of 60 kB 500 million weights. With its
# biases and norms no model of ours has more than 400 weights a byte, were all of them pruned.
_FREE = 1 << 25         # weights, whatever the file: 34 MB of masks
_PER_BYTE = 1024        # weights


def apply(mask: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Set the pruned entries of ``tensors`` to exactly 0, in place.

    ``tensors`` may be a state dict or ``dict(model.named_parameters())``; it must hold
    every name of the mask.
    """
    with torch.no_grad():
        for name, keep in mask.items():
            # Fill, not multiply: 0 * inf is NaN, and 0 * -1 is -0.
            tensors[name].masked_fill_(~keep.to(tensors[name].device), 0)


def with_copies(mask: Mapping[str, Tensor], copies: Mapping[str, str]) -> Mask:
    """The mask, and each of its masks under the name of the weight's averaged copy too.

    Args:
        mask: Masks by parameter name.
        copies: The names of copies by those of the weights; not each weight need have one.
    """
    return {**mask, **{copies[name]: keep for name, keep in mask.items() if name in copies}}


def check_fits(mask: Mapping[str, Tensor], params: Mapping[str, Tensor], source: str) -> None:
    """Raise a UserError unless every mask has a parameter of its name and shape."""
    unknown = [name for name in mask if name not in params]
    if unknown:
        raise UserError(
            f'{source}: {len(unknown)} of {len(mask)} masks match no parameter of this '
            f'model, the first is {unknown[0]!r}; parameters here look like '
            f'{next(iter(params), None)!r}. Is it the ticket of another model?')
    for name, keep in mask.items():
        if keep.shape != params[name].shape:
            raise UserError(
                f'{source}: the mask of {name} has shape {tuple(keep.shape)}, the '
                f'parameter {tuple(params[name].shape)}. Is it the ticket of a wider or '
                'narrower model?')


def pruned(mask: Mapping[str, Tensor]) -> int:
    """How many weights the mask removes."""
    return size(mask) - sum(int(torch.count_nonzero(m)) for m in mask.values())


def emptied(mask: Mapping[str, Tensor]) -> List[str]:
    """The layers of which nothing survives."""
    return [name for name, keep in mask.items() if keep.numel() and not keep.any()]


def size(mask: Mapping[str, Tensor]) -> int:
    """How many weights are in scope."""
    return sum(m.numel() for m in mask.values())


def pack(keep: Tensor) -> Tensor:
    """A mask as bits: uint8, 1-D, ceil(n / 8) long, the first entry in the high bit."""
    flat = keep.detach().cpu().contiguous().view(-1).numpy()
    return torch.from_numpy(np.packbits(flat))


def unpack(bits: Tensor, shape: Sequence[int]) -> Tensor:
    """The inverse of :func:`pack`.

    Raises:
        ValueError: ``bits`` does not hold exactly that many entries.
    """
    count = math.prod(shape)
    if bits.dtype != torch.uint8 or bits.dim() != 1 or len(bits) != (count + 7) // 8:
        raise ValueError(f'{len(bits)} bytes of mask do not fit the shape {tuple(shape)}')
    flat = np.unpackbits(bits.numpy(), count=count).view(np.bool_)
    return torch.from_numpy(flat).view(tuple(shape))


def deflate(bits: Tensor) -> Tensor:
    """The bits of :func:`pack` by zlib: uint8, 1-D; shorter where few or nearly all survive."""
    return torch.from_numpy(np.frombuffer(zlib.compress(bits.numpy().tobytes()), np.uint8).copy())


def inflate(deflated: Tensor, shape: Sequence[int]) -> Tensor:
    """The inverse of :func:`deflate`, for a mask of this shape. Takes no memory beyond its bits.

    Raises:
        ValueError: It is not what :func:`deflate` makes of so many entries.
    """
    count = (math.prod(shape) + 7) // 8
    stream = zlib.decompressobj()
    try:
        # zlib shrinks by 1032 at most, whatever a shape claims; a limit of 0 would be none.
        limit = min(count, 1032 * deflated.numel()) + 1
        bits = stream.decompress(deflated.numpy().tobytes(), limit)
    except (zlib.error, TypeError, OverflowError) as error:
        raise ValueError(f'a deflated mask is malformed: {error}') from None
    if not stream.eof or stream.unused_data or len(bits) != count:
        raise ValueError(f'a deflated mask does not fit the shape {tuple(shape)}')
    return torch.from_numpy(np.frombuffer(bits, np.uint8).copy())


def in_proportion(weights: int, stored: int) -> bool:
    """Whether a file with ``stored`` bytes of tensors may have masks of so many weights."""
    return weights <= _FREE + _PER_BYTE * stored


def digest(mask: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, shapes and entries; equal masks have equal digests."""
    sha = hashlib.sha256()
    for name in sorted(mask):
        sha.update(f'{name}{tuple(mask[name].shape)}'.encode())
        sha.update(pack(mask[name]).numpy().data)
    return sha.hexdigest()
