"""Main metrics of evaluators: which task each belongs to, and in which unit it is shown."""
from dataclasses import dataclass
from math import isfinite
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

DETECTION, SEGMENTATION = 'detection', 'segmentation'
KEYPOINTS, CLASSIFICATION = 'keypoints', 'classification'
# Bare names that any evaluator may use, in any unit; known are those of these.
_SHORT = ('AP', 'AP .5', 'AP50', 'mAP')
_KNOWN = ('coco', 'pascal_voc', 'crowdpose', 'aic', 'posetrack18')


class _Main(NamedTuple):
    """A row of the table: what a :class:`Metric` has, ``at_50`` without the prefix."""
    task: str
    label: str
    unit: str = '%'
    factor: float = 100.0
    at_50: Optional[str] = None
    greater: bool = True


# By name without the evaluator's prefix: MMDetection (COCO, LVIS, VOC), this package's keypoints,
# MMPose and MMPretrain. Where several stand for one task the first is its main metric.
_MAIN: Dict[str, _Main] = {
    'bbox_mAP': _Main(DETECTION, 'mAP', at_50='bbox_mAP_50'),
    'bbox_AP': _Main(DETECTION, 'mAP', at_50='bbox_AP50'),
    'mAP': _Main(DETECTION, 'mAP', at_50='AP50'),
    'bbox_mAP_50': _Main(DETECTION, 'AP50'),
    'bbox_AP50': _Main(DETECTION, 'AP50'),
    'AP50': _Main(DETECTION, 'AP50'),
    'segm_mAP': _Main(SEGMENTATION, 'mAP', at_50='segm_mAP_50'),
    'segm_AP': _Main(SEGMENTATION, 'mAP', at_50='segm_AP50'),
    'segm_mAP_50': _Main(SEGMENTATION, 'AP50'),
    'segm_AP50': _Main(SEGMENTATION, 'AP50'),
    'keypoints_mAP': _Main(KEYPOINTS, 'mAP', at_50='keypoints_mAP_50'),
    'AP': _Main(KEYPOINTS, 'mAP', at_50='AP .5'),
    'keypoints_mAP_50': _Main(KEYPOINTS, 'AP50'),
    'AP .5': _Main(KEYPOINTS, 'AP50'),
    'PCK': _Main(KEYPOINTS, 'PCK'),
    'AUC': _Main(KEYPOINTS, 'AUC'),
    'NME': _Main(KEYPOINTS, 'NME', greater=False),
    'EPE': _Main(KEYPOINTS, 'EPE', unit='', factor=1.0, greater=False),
    'MPJPE': _Main(KEYPOINTS, 'MPJPE', unit='', factor=1.0, greater=False),
    'top1': _Main(CLASSIFICATION, 'top-1', factor=1.0)}


@dataclass(frozen=True)
class Metric:
    """A metric as it is shown.

    Args:
        name: As the evaluator names it, e.g. ``'coco/bbox_mAP'``.
        task: ``'detection'``, ``'segmentation'``, ``'keypoints'``, ``'classification'``; an
            unknown metric is its own task.
        label: For headings and axes: ``'mAP'``, ``'top-1'``, ...
        unit: ``'%'``; empty for lengths and unknown metrics.
        factor: What its value is multiplied by to have that unit.
        at_50: The evaluator's name of the same average precision at an IoU (of keypoints, an OKS)
            of 0.50. Default: None, it is no average precision over several.
        greater: Whether more is better. Default: True.
    """
    name: str
    task: str
    label: str
    unit: str
    factor: float
    at_50: Optional[str] = None
    greater: bool = True

    def of(self, metrics: Mapping[str, float], name: Optional[str] = None) -> Optional[float]:
        """Its value, or that of the metric ``name`` of the same task, in its unit.

        None where it was not measured. An AP of -1 is COCO's word for "no such objects".
        """
        value = metrics.get(name or self.name)
        if value is None or not isfinite(value) or value < 0 and self.unit:
            return None
        return value * self.factor

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
    prefix, bare = _split(name)
    if not _is_known(name):
        return Metric(name, name, name, '', 1.0)
    main = _MAIN[bare]
    return Metric(name, main.task, main.label, main.unit, main.factor,
                  main.at_50 and prefix + main.at_50, main.greater)


def main_metrics(names: Iterable[str], chosen: Iterable[str] = ()) -> List[Metric]:
    """One metric per task, in the order of the tasks; of unknown metrics alone, all.

    Args:
        names: Of all that was measured.
        chosen: Of :func:`chosen_metrics`: each stands for its task before all others, known or not.
            Default: none.
    """
    names = list(dict.fromkeys(names))
    known = sorted(filter(_is_known, names), key=lambda name: list(_MAIN).index(_split(name)[1]))
    found: Dict[str, Metric] = {}
    for name in [*(name for name in chosen if name in names), *known]:
        found.setdefault(metric_of(name).task, metric_of(name))
    tasks = [main.task for main in _MAIN.values()]
    return sorted(found.values(), key=lambda m: tasks.index(m.task) if m.task in tasks else -1
                  ) or [metric_of(name) for name in names]


def worth_a_column(names: Iterable[str], chosen: Iterable[str] = ()) -> List[str]:
    """The names in the table, whatever their evaluator and unit; of unknown ones alone, two.

    Args:
        names: Of all that was measured, in the evaluator's order.
        chosen: Of :func:`chosen_metrics`; they go first. Default: none.
    """
    names = list(dict.fromkeys(names))
    first = [name for name in chosen if name in names]
    rest = [name for name in names if name not in first]
    return [*first, *(name for name in rest if _split(name)[1] in _MAIN)] or names[:2]


def chosen_metrics(cfg: Mapping[str, Any]) -> List[str]:
    """The metrics that a config's CheckpointHook keeps the best checkpoint by (``save_best``)."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint')
    chosen = (hook.get('save_best') if isinstance(hook, Mapping) else
              getattr(hook, 'save_best', None)) or []
    chosen = [chosen] if isinstance(chosen, str) else list(chosen)
    return [name for name in chosen if name != 'auto']


def _split(name: str) -> Tuple[str, str]:
    """The evaluator's prefix, with its slash, and the bare name."""
    start = name.rfind('/') + 1
    return name[:start], name[start:]


def _is_known(name: str) -> bool:
    """AP and mAP alone say nothing: any evaluator may use them in any unit."""
    prefix, bare = _split(name)
    return bare in _MAIN and (bare not in _SHORT or prefix[:-1] in _KNOWN)
