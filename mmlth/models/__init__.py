"""Models that MMDetection lacks."""
from mmlth import compat

compat.apply()

from .keypoint_head import KeypointRCNNHead  # noqa: E402
from .keypoint_rcnn import KeypointRCNN  # noqa: E402
from .keypoint_roi_head import KeypointRoIHead  # noqa: E402
from .narrow_res_layer import NarrowResLayer  # noqa: E402

__all__ = ['KeypointRCNN', 'KeypointRCNNHead', 'KeypointRoIHead', 'NarrowResLayer']
