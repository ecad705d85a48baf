"""Boxes and keypoints of proposals."""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.models.utils import unpack_gt_instances
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor

from mmlth.registry import MODELS

from .heatmaps import visible_inside


@MODELS.register_module()
class KeypointRoIHead(StandardRoIHead):
    """MMDetection's box branch (and mask branch, if any) with a keypoint branch beside it.

    In training, the keypoint branch sees the positive proposals that hold a visible
    keypoint of their object; others could teach it nothing. At test time it looks at the
    final boxes, so that it costs one look per detection.

    Args:
        keypoint_roi_extractor (dict): Features of a region for the keypoint branch.
        keypoint_head (dict): E.g. a :class:`KeypointRCNNHead`.
        *args, **kwargs: Those of :class:`mmdet.models.StandardRoIHead`.
    """

    def __init__(self, *args: Any, keypoint_roi_extractor: dict, keypoint_head: dict,
                 **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.keypoint_roi_extractor = MMDET_MODELS.build(keypoint_roi_extractor)
        self.keypoint_head = MMDET_MODELS.build(keypoint_head)

    def forward(self, x: Tuple[Tensor], rpn_results_list: List[InstanceData],
                batch_data_samples: Optional[Sequence[DetDataSample]] = None) -> tuple:
        """What the branches give without post-processing; heat maps of 100 proposals."""
        results = super().forward(x, rpn_results_list, batch_data_samples)
        rois = bbox2roi([proposals.bboxes for proposals in rpn_results_list])
        return (*results, self._keypoint_forward(x, rois[:100]))

    def loss(self, x: Tuple[Tensor], rpn_results_list: List[InstanceData],
             batch_data_samples: Sequence[DetDataSample]) -> Dict[str, Tensor]:
        """Losses of all branches.

        Args:
            x: Features of each level.
            rpn_results_list: Proposals of each image.
            batch_data_samples: ``gt_instances`` hold ``bboxes`` (n, 4), ``labels`` (n,)
                and ``keypoints`` (n, K, 3) as (x, y, v), in pixels of the input.
        """
        truths, ignored, _ = unpack_gt_instances(batch_data_samples)
        samples = [self._sample(proposals, truth, ignore, [level[i:i + 1] for level in x])
                   for i, (proposals, truth, ignore)
                   in enumerate(zip(rpn_results_list, truths, ignored))]
        boxes = self.bbox_loss(x, samples)
        losses = dict(boxes['loss_bbox'])
        if self.with_mask:
            losses.update(
                self.mask_loss(x, samples, boxes['bbox_feats'], truths)['loss_mask'])
        losses.update(self.keypoint_loss(x, samples, truths))
        return losses

    def _sample(self, proposals: InstanceData, truth: InstanceData, ignored: InstanceData,
                feats: List[Tensor]) -> SamplingResult:
        """Assign the proposals of one image to its objects and draw some to train on."""
        proposals.priors = proposals.pop('bboxes')  # the name that assigners ask for
        assigned = self.bbox_assigner.assign(proposals, truth, ignored)
        return self.bbox_sampler.sample(assigned, proposals, truth, feats=feats)

    def keypoint_loss(self, x: Tuple[Tensor], samples: List[SamplingResult],
                      truths: List[InstanceData]) -> Dict[str, Tensor]:
        """The loss of the keypoint branch; 0 without a proposal to learn from."""
        boxes, keypoints = [], []
        for sample, truth in zip(samples, truths):
            wanted = _keypoints_of(truth)[sample.pos_assigned_gt_inds]
            useful = visible_inside(wanted, sample.pos_priors)
            boxes.append(sample.pos_priors[useful])
            keypoints.append(wanted[useful])
        logits = self._keypoint_forward(x, bbox2roi(boxes))
        return self.keypoint_head.loss(logits, torch.cat(keypoints), torch.cat(boxes))

    def predict(self, x: Tuple[Tensor], rpn_results_list: List[InstanceData],
                batch_data_samples: Sequence[DetDataSample], rescale: bool = False
                ) -> List[InstanceData]:
        """Detections of each image, with ``keypoints`` (n, K, 3) as (x, y, score).

        Args:
            x: Features of each level.
            rpn_results_list: Proposals of each image.
            batch_data_samples: For their meta information.
            rescale: All coordinates in pixels of the original image. Defaults to False.
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        results = self.predict_bbox(
            x, metas, rpn_results_list, rcnn_test_cfg=self.test_cfg, rescale=False)
        rois = bbox2roi([result.bboxes for result in results])
        logits = self._keypoint_forward(x, rois).split([len(result) for result in results])
        results = self.keypoint_head.predict_by_feat(logits, results, metas, rescale)
        if self.with_mask:
            return self.predict_mask(x, metas, results, rescale)  # brings boxes back itself
        if rescale:
            for result, meta in zip(results, metas):
                result.bboxes /= result.bboxes.new_tensor(meta['scale_factor']).repeat(2)
        return results

    def _keypoint_forward(self, x: Tuple[Tensor], rois: Tensor) -> Tensor:
        """Logits (n, K, S, S) of regions (n, 5), each as (image, x1, y1, x2, y2)."""
        extractor = self.keypoint_roi_extractor
        feats = extractor(x[:extractor.num_inputs], rois)
        if self.with_shared_head:
            feats = self.shared_head(feats)
        return self.keypoint_head(feats)


def _keypoints_of(truth: InstanceData) -> Tensor:
    if 'keypoints' not in truth:
        raise ValueError(
            'gt_instances hold no keypoints: load them with mmlth.LoadKeypointAnnotations '
            'and pack them with mmlth.PackKeypointInputs')
    return truth.keypoints
