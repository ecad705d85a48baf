"""Which task a metric belongs to, and in which unit it is shown."""
from dataclasses import dataclass
from math import isfinite
from typing import Iterable, List, Optional

DETECTION, SEGMENTATION = 'detection', 'segmentation'
KEYPOINTS, CLASSIFICATION = 'keypoints', 'classification'
# Main metrics by name without the evaluator's prefix: MMDetection (COCO, VOC), this package's
# keypoints, MMPose and MMPretrain. Where several stand for one task the first is taken.
_MAIN = {
    'bbox_mAP': DETECTION, 'mAP': DETECTION, 'segm_mAP': SEGMENTATION,
    'keypoints_mAP': KEYPOINTS, 'AP': KEYPOINTS, 'PCK': KEYPOINTS, 'AUC': KEYPOINTS,
    'top1': CLASSIFICATION}
# At an IoU (of keypoints, an OKS) of 0.50.
_AT_50 = {'bbox_mAP': 'bbox_mAP_50', 'mAP': 'AP50', 'segm_mAP': 'segm_mAP_50',
          'keypoints_mAP': 'keypoints_mAP_50', 'AP': 'AP .5'}
_PERCENT = {'top1'}      # the others are fractions


@dataclass(frozen=True)
class Metric:
    """The main metric of a task.

    Args:
        name: As the evaluator names it, e.g. ``'coco/bbox_mAP'``.
        task: ``'detection'``, ``'segmentation'``, ``'keypoints'``, ``'classification'``; an
            unknown metric is its own task.
        label: For headings and axes: ``'mAP'``, ``'top-1'``, ...
        unit: ``'%'``, or empty for an unknown metric.
        factor: What its value is multiplied by to have that unit.
    """
    name: str
    task: str
    label: str
    unit: str
    factor: float

    def of(self, metrics, name: Optional[str] = None) -> Optional[float]:
        """Its value, or that of the metric ``name`` of the same task, in its unit.

        None where it was not measured. An AP of -1 is COCO's word for "no such objects".
        """
        value = metrics.get(name or self.name)
        if value is None or not isfinite(value) or value < 0 and self.unit:
            return None
        return value * self.factor

    @property
    def at_50(self) -> Optional[str]:
        """The task's metric at an IoU of 0.50; None without one, as for VOC's mAP."""
        prefix, _, name = self.name.rpartition('/')
        other = _AT_50.get(name)
        return other and (f'{prefix}/{other}' if prefix else other)

    @property
    def axis(self) -> str:
        """The label with its unit, e.g. ``'detection mAP (%)'``."""
        text = self.label if self.task == self.name else f'{self.task} {self.label}'
        return f'{text} ({self.unit})' if self.unit else text

    @property
    def change_axis(self) -> str:
        """Of a difference: ``'change of detection mAP (points)'``."""
        return f'change of {self.axis.replace("(%)", "(points)")}'


def metric_of(name: str) -> Metric:
    """The metric of this name, known or not."""
    bare = name.rpartition('/')[2]
    if not _is_main(name):
        return Metric(name, name, name, '', 1.0)
    label = {'top1': 'top-1', 'PCK': 'PCK', 'AUC': 'AUC'}.get(bare, 'mAP')
    return Metric(name, _MAIN[bare], label, '%', 1.0 if bare in _PERCENT else 100.0)


def main_metrics(names: Iterable[str]) -> List[Metric]:
    """One metric per task, in the order of the tasks; of unknown metrics alone, all."""
    names = list(dict.fromkeys(names))
    known = sorted((n for n in names if _is_main(n)),
                   key=lambda n: list(_MAIN).index(n.rpartition('/')[2]))
    found = {}
    for name in known:
        found.setdefault(metric_of(name).task, metric_of(name))
    return list(found.values()) or [metric_of(name) for name in names]


def _is_main(name: str) -> bool:
    """AP and mAP alone say nothing: any evaluator may use them in any unit."""
    prefix, _, bare = name.rpartition('/')
    if bare in ('AP', 'mAP'):
        return prefix in ('coco', 'pascal_voc', 'crowdpose', 'aic', 'posetrack18')
    return bare in _MAIN
