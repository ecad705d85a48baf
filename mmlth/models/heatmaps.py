"""Keypoints to heat map bins and back, as Detectron2 defines both.

Sources: Mask R-CNN (He et al., ICCV 2017, section 5) and the conventions of
``detectron2.structures.keypoints``. Coordinates are continuous: the image spans
``[0, w] x [0, h]``, and the centre of its first pixel is (0.5, 0.5).
"""
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor


def visible_inside(keypoints: Tensor, boxes: Tensor) -> Tensor:
    """Which boxes hold a visible keypoint, borders included.

    Args:
        keypoints: (N, K, 3) as (x, y, v), in pixels; visible where v > 0.
        boxes: (N, 4) as (x1, y1, x2, y2), in pixels.

    Returns:
        BoolTensor: (N,).
    """
    xy = keypoints[..., :2]
    inside = (xy >= boxes[:, None, :2]) & (xy <= boxes[:, None, 2:])
    return (inside.all(-1) & (keypoints[..., 2] > 0)).any(-1)


def encode_keypoints(keypoints: Tensor, boxes: Tensor, size: int) -> Tuple[Tensor, Tensor]:
    """The bin of its box's heat map that each keypoint falls into.

    A box is cut into ``size x size`` bins, each closed at its left and top; a keypoint
    on the right or lower border of the box belongs to the last bin.

    Args:
        keypoints: (N, K, 3) as (x, y, v), in pixels.
        boxes: (N, 4) as (x1, y1, x2, y2), in pixels.
        size: Bins along each side.

    Returns:
        tuple[LongTensor, BoolTensor]: Two times (N, K): the flat index
        ``row * size + column``, and whether the keypoint counts, that is, it is visible
        and inside the box. The index is 0 where it does not.
    """
    xy, low, high = keypoints[..., :2], boxes[:, None, :2], boxes[:, None, 2:]
    bins = ((xy - low) * (size / (high - low))).floor()
    bins = torch.where(xy == high, size - 1, bins)
    # Compared as floats: a box without area gives infinities, which no integer holds.
    valid = ((bins >= 0) & (bins < size)).all(-1) & (keypoints[..., 2] > 0)
    index = torch.where(valid, bins[..., 1] * size + bins[..., 0], 0)
    return index.long(), valid


def decode_heatmaps(logits: Tensor, boxes: Tensor) -> Tensor:
    """The most likely position of each keypoint, finer than the heat map.

    A heat map is resized to the size of its box in pixels, rounded up, by bicubic
    interpolation; the keypoint is the centre of the highest pixel, brought back to the
    exact size of the box. Its score is the softmax over the heat map, taken at the
    height of that peak: ``exp(peak) / sum(exp(logits))``. It does not depend on the
    size of the box, and may exceed 1 a little where the interpolation overshoots.

    Args:
        logits: (N, K, S, S), any floating type.
        boxes: (N, 4) as (x1, y1, x2, y2), in pixels. Sides below 1 count as 1.

    Returns:
        Tensor: (N, K, 3), fp32, as (x, y, score), in the pixels of ``boxes``.
    """
    logits, boxes = logits.float(), boxes.float()
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    pixels = sides.ceil()
    peaks, places = logits.new_zeros(logits.shape[:2]), logits.new_zeros(*logits.shape[:2], 2)
    # One at a time: every box has another size, and all in the largest one's would take
    # gigabytes.
    for i, (width, height) in enumerate(pixels.int().tolist()):
        large = F.interpolate(
            logits[i:i + 1], size=(height, width), mode='bicubic', align_corners=False)
        peaks[i], index = large[0].flatten(1).max(1)
        places[i, :, 0], places[i, :, 1] = index % width, index // width
    xy = (places + 0.5) * (sides / pixels)[:, None] + boxes[:, None, :2]
    scores = (peaks - logits.flatten(2).logsumexp(2)).exp()
    return torch.cat([xy, scores[..., None]], -1)
