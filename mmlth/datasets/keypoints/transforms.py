"""The first and the last step of a pipeline with keypoints; those between are stock."""
from typing import Any

import numpy as np
import torch
from mmdet.datasets.transforms import LoadAnnotations, PackDetInputs
from mmdet.structures.bbox import HorizontalBoxes

from mmlth.registry import TRANSFORMS

from .boxes import KeypointBoxes


@TRANSFORMS.register_module()
class LoadKeypointAnnotations(LoadAnnotations):
    """MMDetection's LoadAnnotations, with keypoints.

    ``gt_bboxes`` become :class:`KeypointBoxes`, which all later transforms of MMDetection
    move, flip, crop and select as they do with boxes.

    Args:
        **kwargs: Those of :class:`mmdet.datasets.LoadAnnotations`; ``box_type`` must
            remain ``'hbox'``.

    Note:
        Needs ``keypoints`` (K, 3) in every instance and ``flip_indices`` (K,), which
        ``mmlth.CocoKeypointDetDataset`` gives.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        if self.box_type != 'hbox' or not self.with_bbox:
            raise ValueError(
                'LoadKeypointAnnotations needs with_bbox=True and box_type="hbox", got '
                f'with_bbox={self.with_bbox} and box_type={self.box_type!r}')

    def _load_bboxes(self, results: dict) -> None:
        super()._load_bboxes(results)
        if 'flip_indices' not in results:
            raise ValueError(
                'LoadKeypointAnnotations found no flip_indices: this data set has no '
                'keypoints; use mmlth.CocoKeypointDetDataset')
        flip = results['flip_indices']
        keypoints = np.asarray([instance['keypoints'] for instance in results.get('instances', [])],
                               dtype=np.float32).reshape(-1, len(flip), 3)
        results['gt_bboxes'] = KeypointBoxes(
            results['gt_bboxes'].tensor, torch.from_numpy(keypoints), flip, clone=False)


@TRANSFORMS.register_module()
class PackKeypointInputs(PackDetInputs):
    """MMDetection's PackDetInputs, with ``keypoints`` beside the ``bboxes``.

    ``gt_instances.keypoints`` is a float tensor (N, K, 3) as (x, y, v), in pixels;
    invisible keypoints are (0, 0, 0). Boxes are packed as plain HorizontalBoxes.

    Args:
        meta_keys (Sequence[str]): As in :class:`mmdet.datasets.PackDetInputs`.
    """
    mapping_table = {**PackDetInputs.mapping_table, 'gt_keypoints': 'keypoints'}

    def transform(self, results: dict) -> dict:
        boxes = results.get('gt_bboxes')
        if boxes is not None:
            keypoints = getattr(boxes, 'keypoints', None)
            if keypoints is None:
                raise ValueError(
                    'PackKeypointInputs found no keypoints on the boxes: load them with '
                    'mmlth.LoadKeypointAnnotations, and leave out transforms that build '
                    'new boxes (RandomErasing, CopyPaste, recompute_bbox)')
            shown = keypoints[..., 2:] > 0
            results = dict(
                results, gt_bboxes=HorizontalBoxes(boxes.tensor, clone=False),
                gt_keypoints=(keypoints * shown).numpy())
        return super().transform(results)
