"""Flat pieces of tensors that are compared and counted.

On the CPU they are numpy's, worked on by one thread: it compares and counts several times
faster than torch does on as many elements, and no thread waits for another when the cores
are busy.
"""
from typing import Any, Iterator

import numpy as np
import torch
from torch import Tensor

CHUNK = 1 << 18     # elements per step on the CPU: 1 MiB of fp32, stays in the cache

Array = Any     # np.ndarray on the CPU, Tensor elsewhere


def chunks(tensor: Tensor) -> Iterator[Array]:
    """The entries of a tensor, flat, as fp32 and in pieces; on the CPU of :data:`CHUNK`."""
    on_cpu = tensor.device.type == 'cpu'
    for piece in tensor.detach().reshape(-1).split(CHUNK if on_cpu else 16 * CHUNK):
        if len(piece):
            yield as_array(piece.float())


def as_array(tensor: Tensor) -> Array:
    """The same memory as numpy sees it, if it is the CPU's."""
    return tensor.numpy() if tensor.device.type == 'cpu' else tensor


def on_host(array: Array) -> np.ndarray:
    """As numpy's, copied from another device if need be."""
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()


def count_true(flags: Array) -> int:
    """How many are True."""
    return int(np.count_nonzero(flags) if isinstance(flags, np.ndarray)
               else torch.count_nonzero(flags))


def positions(flags: Array) -> Array:
    """Where they are True: indexing by positions is faster than by the flags."""
    return np.flatnonzero(flags) if isinstance(flags, np.ndarray) else flags.nonzero().view(-1)
