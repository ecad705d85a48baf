"""Render scanned digits, enlarged, turned and coloured, and textures to put them on.

All arithmetic is integers, or elementwise floating point, so that a seed gives the
same pixels on every machine: no matrix product (BLAS), no floating-point mean.
"""
import math

import numpy as np

GLYPH = 8  # load_digits gives 8x8 pixels, each 0..16
CELL = 8  # an enlarged glyph has 8 x 8 pixels per original pixel
INK = 0.5  # of the scan's full black; where this much ink lies is digit
MIN_CONTRAST = 90  # grey levels between a digit and what it covers
DARK = 120  # grey level of a ground that asks for lighter ink
LUMA = np.array([29, 150, 77])  # BGR to grey, in 1/256


def enlarge(scans: np.ndarray) -> np.ndarray:
    """Scans of shape (N, 8, 8), values 0..16, as (N, 80, 80), values near 0..1.

    Cubic convolution, with one blank pixel added around. Its weights are small
    fractions of a power of two, so every sum is exact.
    """
    field = np.pad(scans / 16, ((0, 0), (3, 3), (3, 3)))
    for _ in range(2):  # rows, then columns
        rows = []
        for i in range((GLYPH + 2) * CELL):
            position = (i + 0.5) / CELL + 1.5
            first = int(position)
            t = position - first
            weights = (-t**3 + 2 * t**2 - t, 3 * t**3 - 5 * t**2 + 2, -3 * t**3 + 4 * t**2 + t,
                       t**3 - t**2)
            rows.append(sum(w / 2 * field[:, first - 1 + k] for k, w in enumerate(weights)))
        field = np.stack(rows, 2)  # and exchange the two axes
    return field


def sample(field: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values of a 2-d ``field`` at float positions, bilinear, edges repeated."""
    x = np.clip(x, 0, field.shape[1] - 1)
    y = np.clip(y, 0, field.shape[0] - 1)
    x0 = np.minimum(x.astype(int), field.shape[1] - 2)
    y0 = np.minimum(y.astype(int), field.shape[0] - 2)
    tx, ty = x - x0, y - y0
    above = field[y0, x0] * (1 - tx) + field[y0, x0 + 1] * tx
    below = field[y0 + 1, x0] * (1 - tx) + field[y0 + 1, x0 + 1] * tx
    return above * (1 - ty) + below * ty


def stretch(grid: np.ndarray, size: int) -> np.ndarray:
    """A (k + 1, k + 1, 3) grid as (size, size, 3), bilinear."""
    position = np.arange(size) * (len(grid) - 1) / size
    low = position.astype(int)
    t = (position - low)[:, None, None]
    rows = grid[low] * (1 - t) + grid[low + 1] * t
    t = t.reshape(1, -1, 1)
    return rows[:, low] * (1 - t) + rows[:, low + 1] * t


def render_glyph(rng: np.random.Generator, glyph: np.ndarray, height: float) -> np.ndarray:
    """Turn, slant and scale an enlarged glyph.

    Args:
        glyph (np.ndarray): From :func:`enlarge`.
        height (float): Of the digit before it is turned, in pixels.

    Returns:
        np.ndarray: Opacity in 0..1, no larger than the digit.
    """
    angle = rng.uniform(-0.15, 0.15)
    # Rounded: the last bits of a sine differ from one C library to the next.
    cos, sin = round(math.cos(angle), 6), round(math.sin(angle), 6)
    slant, width = rng.uniform(-0.1, 0.1), rng.uniform(0.85, 1.15)
    step = GLYPH * CELL / height  # glyph pixels per scene pixel
    reach = int(height * 0.65)
    offset = np.arange(-reach, reach + 1) * step
    dx, dy = offset[None, :], offset[:, None]
    middle = (len(glyph) - 1) / 2
    ink = sample(glyph, middle + (cos * dx + sin * dy) / width + slant * dy,
                 middle - sin * dx + cos * dy)
    sharpness = max(1.2, height / GLYPH / 1.5)  # an edge about 1.5 pixels wide
    alpha = np.clip((ink - INK) * sharpness + 0.5, 0, 1)
    rows, cols = np.flatnonzero((alpha > 0.5).any(1)), np.flatnonzero((alpha > 0.5).any(0))
    return alpha[rows[0]:rows[-1] + 1, cols[0]:cols[-1] + 1]


def paint(rng: np.random.Generator, image: np.ndarray, alpha: np.ndarray, x: int, y: int) -> None:
    """Blend ink of one random colour into ``image`` at column x, row y.

    Ink is darker than what it lies on, unless that is dark itself.
    """
    patch = image[y:y + alpha.shape[0], x:x + alpha.shape[1]]
    covered = patch[alpha > 0.5]
    under = int((covered.sum(0, dtype=np.int64) * LUMA).sum()) // (256 * len(covered))
    sign = 1 if under > DARK else -1
    colour = rng.integers(0, 256, 3)
    while sign * (under - int((colour * LUMA).sum()) // 256) < MIN_CONTRAST:
        colour = rng.integers(0, 256, 3)
    grain = rng.integers(-12, 13, alpha.shape)
    blend = patch + alpha[..., None] * (colour + grain[..., None] - patch)
    patch[...] = np.clip(np.rint(blend), 0, 255)


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A (size, size, 3) uint8 texture: noise of several scales over one colour."""
    image = np.zeros((size, size, 3)) + rng.integers(130, 236, 3)
    for cells, strength in ((3, 50), (12, 30), (48, 20)):
        amplitude = rng.integers(0, strength + 1)
        grid = rng.integers(-amplitude, amplitude + 1, (cells + 1, cells + 1, 3))
        image += stretch(grid, size)
    return np.clip(np.rint(image + rng.integers(-6, 7, image.shape)), 0, 255).astype(np.uint8)
