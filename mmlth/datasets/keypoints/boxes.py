"""Boxes that take their keypoints along through MMDetection's transforms."""
from typing import Any, Dict, Optional, Sequence, Tuple, Union

import cv2
import numpy as np
import torch
from mmdet.structures.bbox import HorizontalBoxes, register_box, register_box_converter
from torch import Tensor


@register_box('keypoint_hbox')
class KeypointBoxes(HorizontalBoxes):
    """Horizontal boxes, each with K keypoints that move with the image.

    MMDetection's transforms move, clip and select the ground truth through the methods of
    its boxes. With these boxes as ``gt_bboxes`` every one of them (Resize, RandomFlip,
    RandomCrop, RandomAffine, Mosaic, ...) carries keypoints too, with no change to it.
    A transform that mirrors the image swaps left and right keypoints; what clips a box to
    the image hides the keypoints outside. A transform that builds new boxes (RandomErasing,
    CopyPaste) drops the keypoints, which ``mmlth.PackKeypointInputs`` reports.

    Args:
        data: (N, 4) as (x1, y1, x2, y2), in pixels.
        keypoints (Tensor, optional): (N, K, 3), fp32, as (x, y, v), in pixels; visible
            where v > 0. Defaults to None, for boxes that have lost theirs.
        flip_indices (Sequence[int], optional): (K,), for each keypoint the one it becomes
            in a mirror. Defaults to None, itself.
        **kwargs: ``dtype``, ``device``, ``clone`` of HorizontalBoxes.
    """

    def __init__(self, data: Union[Tensor, np.ndarray, Sequence[Sequence[float]]],
                 keypoints: Optional[Tensor] = None,
                 flip_indices: Optional[Sequence[int]] = None, **kwargs: Any):
        super().__init__(data, **kwargs)
        if keypoints is not None and len(keypoints) != len(self.tensor):
            raise ValueError(
                f'expected keypoints for {len(self.tensor)} boxes, got {len(keypoints)}')
        self.keypoints = keypoints
        self.flip_indices = flip_indices

    def _with(self, boxes: HorizontalBoxes, keypoints: Optional[Tensor]) -> 'KeypointBoxes':
        return KeypointBoxes(boxes.tensor, keypoints, self.flip_indices, clone=False)

    def __getitem__(self, index: Any) -> 'KeypointBoxes':
        chosen = super().__getitem__(index)
        if self.keypoints is None:
            return chosen
        keypoints = self.keypoints[index if isinstance(index, Tensor)
                                   else torch.as_tensor(np.arange(len(self))[index])]
        return self._with(chosen, keypoints.reshape(len(chosen), *self.keypoints.shape[1:]))

    def clone(self) -> 'KeypointBoxes':
        keypoints = None if self.keypoints is None else self.keypoints.clone()
        return self._with(super().clone(), keypoints)

    def __deepcopy__(self, memo: Dict[int, Any]) -> 'KeypointBoxes':
        other = self.clone()
        memo[id(self)] = other
        return other

    @classmethod
    def cat(cls, box_list: Sequence[HorizontalBoxes], dim: int = 0) -> 'KeypointBoxes':
        """Concatenate; boxes without keypoints among them leave none."""
        boxes = HorizontalBoxes.cat(box_list, dim)
        keypoints = [part.keypoints for part in box_list
                     if isinstance(part, KeypointBoxes) and part.keypoints is not None]
        if dim != 0 or len(keypoints) < len(box_list):
            return cls(boxes.tensor, clone=False)
        return cls(boxes.tensor, torch.cat(keypoints), box_list[0].flip_indices, clone=False)

    def flip_(self, img_shape: Tuple[int, int], direction: str = 'horizontal') -> None:
        super().flip_(img_shape, direction)
        height, width = img_shape
        matrix = torch.eye(3)
        if direction in ('horizontal', 'diagonal'):
            matrix[0, 0], matrix[0, 2] = -1, width
        if direction in ('vertical', 'diagonal'):
            matrix[1, 1], matrix[1, 2] = -1, height
        self._move(matrix)

    def rescale_(self, scale_factor: Tuple[float, float]) -> None:
        super().rescale_(scale_factor)
        self._move(torch.diag(torch.tensor([*scale_factor, 1.])))

    def translate_(self, distances: Tuple[float, float]) -> None:
        super().translate_(distances)
        matrix = torch.eye(3)
        matrix[:2, 2] = torch.tensor([float(distance) for distance in distances])
        self._move(matrix)

    def rotate_(self, center: Tuple[float, float], angle: float) -> None:
        super().rotate_(center, angle)
        self._move(np.vstack([cv2.getRotationMatrix2D(center, -angle, 1), [0, 0, 1]]))

    def project_(self, homography_matrix: Union[Tensor, np.ndarray]) -> None:
        super().project_(homography_matrix)
        self._move(homography_matrix)

    def clip_(self, img_shape: Tuple[int, int]) -> None:
        super().clip_(img_shape)
        self.hide_outside_(img_shape)

    def hide_outside_(self, img_shape: Tuple[int, int]) -> None:
        """Set v to 0 where a keypoint is outside an image of ``(height, width)``."""
        if self.keypoints is None:
            return
        xy = self.keypoints[..., :2]
        inside = (xy >= 0) & (xy <= xy.new_tensor([img_shape[1], img_shape[0]]))
        self.keypoints[..., 2] *= inside.all(-1)

    def _move(self, matrix: Union[Tensor, np.ndarray]) -> None:
        """Map the keypoints by a 3x3 homography; out of place, as the boxes."""
        if self.keypoints is None:
            return
        matrix = torch.as_tensor(matrix, dtype=self.keypoints.dtype)
        xy, v = self.keypoints.split((2, 1), -1)
        mapped = torch.cat([xy, torch.ones_like(v)], -1) @ matrix.T
        self.keypoints = torch.cat([mapped[..., :2] / mapped[..., 2:], v], -1)
        # A mirror image of either direction turns a left hand into a right one; a half
        # turn (diagonal flip) does not.
        if self.flip_indices is not None and torch.det(matrix[:2, :2]) < 0:
            self.keypoints = self.keypoints[:, list(self.flip_indices)]


@register_box_converter('keypoint_hbox', 'hbox')
def _to_hbox(boxes: Tensor) -> Tensor:
    return boxes  # for MMDetection's overlaps
