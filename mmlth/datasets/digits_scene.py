"""Compose one picture from scanned digits, and know where every digit is."""
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmlth.datasets.digits_render import background, paint, render_glyph

MIN_HEIGHT, MAX_HEIGHT = 20, 0.9  # of a digit: pixels, and part of the scene
MIN_VISIBLE = 0.8  # of the pixels of every digit


@dataclass
class PlacedDigit:
    """A digit in a scene of ``size`` x ``size`` pixels.

    Attributes:
        label (int): The digit, 0-9.
        source (int): Its index in ``sklearn.datasets.load_digits``.
        full (np.ndarray): (size, size) bool, its pixels if nothing covered it.
        visible (np.ndarray): (size, size) bool, its pixels that can be seen.
    """
    label: int
    source: int
    full: np.ndarray
    visible: np.ndarray

    @property
    def bbox(self) -> List[int]:
        """list[int]: x, y, width, height of the visible part, in pixels."""
        xs, ys = np.flatnonzero(self.visible.any(0)), np.flatnonzero(self.visible.any(1))
        return [int(v) for v in (xs[0], ys[0], xs[-1] - xs[0] + 1, ys[-1] - ys[0] + 1)]

    @property
    def keypoints(self) -> List[int]:
        """list[int]: x, y, flag of the top, left, bottom and right extreme pixel of the
        whole digit; the flag is 2 where it can be seen, 1 where another digit hides it.
        """
        xs, ys = np.flatnonzero(self.full.any(0)), np.flatnonzero(self.full.any(1))
        points = [(_middle(self.full[ys[0]]), ys[0]), (xs[0], _middle(self.full[:, xs[0]])),
                  (_middle(self.full[ys[-1]]), ys[-1]), (xs[-1], _middle(self.full[:, xs[-1]]))]
        return [int(v) for x, y in points for v in (x, y, 2 if self.visible[y, x] else 1)]


Scene = Tuple[np.ndarray, List[PlacedDigit]]    # a picture and what is in it


def _middle(line: np.ndarray) -> int:
    """The set element of a bool vector that has as many set ones before it as after."""
    indices = np.flatnonzero(line)
    return indices[len(indices) // 2]


def add_clutter(rng: np.random.Generator, image: np.ndarray, glyphs: np.ndarray,
                pool: np.ndarray) -> None:
    """Draw lines, rings, and digits with their quarters exchanged, which are none."""
    size = len(image)
    for _ in range(rng.integers(1, 6)):
        colour = [int(v) for v in rng.integers(0, 256, 3)]
        start, end = [[int(v) for v in rng.integers(0, size, 2)] for _ in range(2)]
        kind, thickness = rng.integers(3), int(rng.integers(1, 5))
        if kind == 0:
            cv2.line(image, start, end, colour, thickness, cv2.LINE_AA)
        elif kind == 1:
            axes = [int(v) for v in rng.integers(4, size // 6, 2)]
            arc = int(rng.integers(60, 200))
            cv2.ellipse(image, start, axes, arc, 0, arc, colour, thickness, cv2.LINE_AA)
        else:
            glyph = glyphs[pool[rng.integers(len(pool))]]
            half = len(glyph) // 2
            alpha = render_glyph(rng, np.roll(glyph, (half, half), (0, 1)),
                               rng.uniform(MIN_HEIGHT, size / 3))
            paint(rng, image, alpha, *_corner(rng, size, alpha))


def _corner(rng: np.random.Generator, size: int, alpha: np.ndarray) -> Tuple[int, int]:
    """A random column and row at which ``alpha`` lies wholly inside the scene."""
    return (int(rng.integers(size - alpha.shape[1] + 1)),
            int(rng.integers(size - alpha.shape[0] + 1)))


def place(rng: np.random.Generator, alpha: np.ndarray, size: int, digits: Sequence[PlacedDigit],
          tries: int = 40) -> Optional[Tuple[int, int, np.ndarray]]:
    """Find where a further digit hides no earlier one too much.

    Returns:
        tuple | None: Column, row and full mask of the new digit; None if ``tries``
        random places were all too crowded.
    """
    for _ in range(tries):
        x, y = _corner(rng, size, alpha)
        mask = np.zeros((size, size), bool)
        mask[y:y + alpha.shape[0], x:x + alpha.shape[1]] = alpha > 0.5
        if all((d.visible & ~mask).sum() >= MIN_VISIBLE * d.full.sum() for d in digits):
            return x, y, mask
    return None


def compose(rng: np.random.Generator, glyphs: np.ndarray, labels: np.ndarray,
            pool: np.ndarray, weights: np.ndarray, size: int) -> Scene:
    """Compose a scene.

    Args:
        rng (np.random.Generator): The only source of chance.
        glyphs (np.ndarray): (N, 80, 80), all digits, from :func:`enlarge`.
        labels (np.ndarray): (N, ) int, what they show.
        pool (np.ndarray): Indices of the digits that may be used.
        weights (np.ndarray): (10, ) float, the frequencies of the classes.
        size (int): Width and height of the scene in pixels.

    Returns:
        tuple[np.ndarray, list[PlacedDigit]]: (size, size, 3) uint8 in BGR order, and its
        1 to 6 digits, lowest first.
    """
    image = background(rng, size)
    add_clutter(rng, image, glyphs, pool)
    count = rng.integers(1, 7)
    # Large ones first, so that no small one vanishes under them.
    heights = MIN_HEIGHT * (MAX_HEIGHT * size / MIN_HEIGHT)**rng.random(count)
    digits: List[PlacedDigit] = []
    for height in np.sort(heights.round(2))[::-1]:
        label = int(rng.choice(10, p=weights))
        of_class = pool[labels[pool] == label]
        source = int(of_class[rng.integers(len(of_class))])
        while max((alpha := render_glyph(rng, glyphs[source], height)).shape) > size:
            height *= 0.9
        found = place(rng, alpha, size, digits)
        if found is None:
            continue
        x, y, mask = found
        paint(rng, image, alpha, x, y)
        for digit in digits:
            digit.visible = digit.visible & ~mask
        digits.append(PlacedDigit(label, source, mask, mask))
    return image, digits
