"""The detector."""
from mmdet.models.detectors import TwoStageDetector

from mmlth.registry import MODELS


@MODELS.register_module()
class KeypointRCNN(TwoStageDetector):
    """Keypoint R-CNN: Faster R-CNN that also finds the keypoints of its boxes.

    `Mask R-CNN <https://arxiv.org/abs/1703.06870>`_, section 5, "Mask R-CNN for Human
    Pose Estimation". Takes the arguments of MMDetection's two-stage detectors; its
    ``roi_head`` is a :class:`KeypointRoIHead`. ``pred_instances`` hold ``keypoints``
    (n, K, 3) as (x, y, score) beside ``bboxes``, ``scores`` and ``labels``.
    """
