"""COCO keypoints for MMDetection: data set, transforms, metric, pictures."""
from mmlth import compat

compat.apply()

from .boxes import KeypointBoxes  # noqa: E402
from .dataset import CocoKeypointDetDataset, flip_indices  # noqa: E402
from .metric import CocoKeypointDetMetric  # noqa: E402
from .transforms import LoadKeypointAnnotations, PackKeypointInputs  # noqa: E402
from .visualizer import KeypointDetLocalVisualizer  # noqa: E402

__all__ = ['CocoKeypointDetDataset', 'CocoKeypointDetMetric', 'KeypointBoxes',
           'KeypointDetLocalVisualizer', 'LoadKeypointAnnotations', 'PackKeypointInputs',
           'flip_indices']
