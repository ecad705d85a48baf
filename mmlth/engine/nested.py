"""Data sets that are made of others."""
from typing import Any


def is_dataset(thing: Any) -> bool:
    """Whether it is an object with items, as data sets are, PyTorch's and plain ones.

    Data sets call other things ``dataset`` and ``datasets``, too: their name, a list of files.
    """
    return hasattr(thing, '__getitem__') and hasattr(thing, '__dict__')
