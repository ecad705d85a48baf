"""Numbers and arrays of numpy from a pickle, which may have been forged."""
import pickle
import re
from typing import Any, Optional, Union

import numpy as np

from .unknown import Unknown

_NUMBERS = re.compile(r'[?]|[biufcSU]\d+|O8?')


def plain_type(code: Any, *flags: Any) -> Union[np.dtype, Unknown]:
    """A copy of a type of numbers, text or objects; what has fields, units or more is Unknown."""
    if not isinstance(code, str) or not _NUMBERS.fullmatch(code):
        return Unknown(f'numpy.dtype({code!r:.40})', made=True)
    return np.dtype(code, copy=True)


def set_order(dtype: np.dtype, state: tuple) -> None:
    """Of the state of a numpy type, the byte order alone; the rest follows from its code."""
    size = (dtype.itemsize, dtype.alignment) if dtype.kind in 'SU' else (-1, -1)
    if state[1] not in ('<', '>', '|', '='):
        raise pickle.UnpicklingError('it holds a numpy type without a byte order')
    # numpy's hints lack it.
    dtype.__setstate__((3, state[1], None, None, None, *size, dtype.flags))  # type: ignore[attr-defined]


def scalar(dtype: Union[np.dtype, Unknown], data: bytes) -> Union[np.generic, Unknown]:
    """One number of that type."""
    if isinstance(dtype, Unknown):
        return dtype
    if not isinstance(dtype, np.dtype) or dtype.hasobject or not isinstance(data, bytes):
        raise pickle.UnpicklingError('it holds a malformed number of numpy')
    return np.frombuffer(data, dtype, count=1)[0]


def fill_array(array: np.ndarray, state: Any) -> Optional[Unknown]:
    """Give an array what it holds, or say what takes its place.

    Subclasses may have a state of their own.
    """
    if not isinstance(state, tuple) or len(state) != 5:
        return Unknown('numpy.ndarray', made=True)
    if isinstance(state[2], Unknown):
        return state[2]
    array.__setstate__(state)
    return None
