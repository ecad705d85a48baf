"""Boxes that no training can learn, and those that lie where their image is not."""
from typing import List

import numpy as np

from .findings import Finding
from .parts import Entry

_MARGIN = 1     # pixels: annotations count from 0 or from 1


def check_boxes(entry: Entry, training: bool) -> List[Finding]:
    """What is wrong with the boxes of one image.

    Args:
        entry: The image.
        training: Whether a training learns from them; then a box without an area, which is not
            ignored, is fatal: its regression target is not a number.
    """
    boxes = entry.boxes
    sides = boxes[:, 2:] - boxes[:, :2]
    used = ~np.asarray(entry.ignored, bool)[:len(boxes)]
    flat = ~(sides > 0).all(1)      # not a number is flat too
    found = [Finding('flat', entry.path, f'the box {_text(box)} has no area', training)
             for box in boxes[flat & used]]
    if entry.size is not None:
        ends = np.array([*entry.size, *entry.size]) + _MARGIN
        outside = ((boxes < -_MARGIN) | (boxes > ends)).any(1) & used & ~flat
        found += [Finding('outside', entry.path, f'the box {_text(box)} leaves the image of '
                          f'{entry.size[0]} x {entry.size[1]} pixels') for box in boxes[outside]]
    return found


def _text(box: np.ndarray) -> str:
    return f'({", ".join(f"{value:g}" for value in box)})'
