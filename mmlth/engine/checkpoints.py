"""The entry ``mmlth`` of a checkpoint: the masks that its weights were trained under."""
from typing import Any, Mapping

from mmlth.core import mask as masks


def checkpoint_entry(mask) -> dict:
    """What a checkpoint holds under ``mmlth``: bit-packed masks and their digest."""
    return dict(
        digest=masks.digest(mask),
        masks={n: dict(shape=list(m.shape), bits=masks.pack(m)) for n, m in mask.items()})


def masks_of(entry: Mapping[str, Any]) -> masks.Mask:
    """The masks of such an entry."""
    return {name: masks.unpack(packed['bits'].cpu(), packed['shape'])
            for name, packed in entry['masks'].items()}
