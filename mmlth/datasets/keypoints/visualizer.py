"""Pictures with skeletons."""
from typing import Any, List, Optional

import numpy as np
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData

from mmlth.registry import VISUALIZERS

# By the side of the body, so that swapped sides are seen at once.
_LEFT, _RIGHT, _MIDDLE = (0, 200, 0), (255, 128, 0), (51, 153, 255)


@VISUALIZERS.register_module()
class KeypointDetLocalVisualizer(DetLocalVisualizer):
    """MMDetection's visualizer that also draws ``keypoints`` and links between them.

    Takes the names and the skeleton from the data set's ``metainfo``. Left is green, right
    is orange, the rest is blue. Works with MMDetection's DetVisualizationHook, and so with
    ``tools/test.py --show-dir``.

    Args:
        keypoint_thr (float): Keypoints whose score (or v, of the ground truth) is not above
            it are left out. Default: 0.05, as in Detectron2.
        name (str): Default: ``'visualizer'``.
        **kwargs: Those of :class:`mmdet.visualization.DetLocalVisualizer`.
    """

    def __init__(self, name: str = 'visualizer', *, keypoint_thr: float = 0.05, **kwargs: Any):
        super().__init__(name, **kwargs)
        self.keypoint_thr = keypoint_thr

    def _draw_instances(self, image: np.ndarray, instances: InstanceData,
                        classes: Optional[List[str]], palette: Optional[List[tuple]]
                        ) -> np.ndarray:
        drawn = super()._draw_instances(image, instances, classes, palette)
        if 'keypoints' not in instances or not len(instances):
            return drawn
        self.set_image(drawn)
        names = list(self.dataset_meta.get(
            'keypoint_names', map(str, range(instances.keypoints.shape[1]))))
        for pose in instances.keypoints.numpy():
            self._draw_pose(pose, names)
        return self.get_image()

    def _draw_pose(self, pose: np.ndarray, names: List[str]) -> None:
        shown = pose[:, 2] > self.keypoint_thr
        for start, end in self.dataset_meta.get('skeleton', ()):
            link = [names.index(start), names.index(end)]
            if shown[link].all():
                self.draw_lines(
                    pose[link, 0], pose[link, 1], colors=_color(start, end),
                    line_widths=self.line_width / 2)
        for name, (x, y, _) in zip(np.array(names)[shown], pose[shown]):
            color = _color(name)
            self.draw_circles(
                np.array([x, y]), np.array([self.line_width]), edge_colors=color,
                face_colors=color)


def _color(*names: str) -> tuple:
    for side, color in (('left', _LEFT), ('right', _RIGHT)):
        if all(name.startswith(side) for name in names):
            return color
    return _MIDDLE
