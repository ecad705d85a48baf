"""Main metrics of evaluators: whose task each is, in which unit it is shown, what is better."""
import re
from dataclasses import dataclass
from math import isfinite
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

DETECTION, SEGMENTATION = 'detection', 'segmentation'
PANOPTIC, SEMANTIC = 'panoptic segmentation', 'semantic segmentation'
KEYPOINTS, CLASSIFICATION = 'keypoints', 'classification'
# Bare names that any evaluator may use, in any unit; known are those of these.
_SHORT = ('AP', 'AP .5', 'AP50', 'mAP')
_KNOWN = ('coco', 'pascal_voc', 'crowdpose', 'aic', 'posetrack18')
# Average precisions and recalls, those of a size or an IoU too: 'bbox_mAP_s', 'AP (M)', 'AR .5'.
_PRECISION = re.compile(r'(?:^|_)m?A[PR]')


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
    'PQ': _Main(PANOPTIC, 'PQ', factor=1.0),
    'mIoU': _Main(SEMANTIC, 'mIoU', factor=1.0),
    'PCK': _Main(KEYPOINTS, 'PCK'),
    'PCKh': _Main(KEYPOINTS, 'PCKh'),
    'tPCK': _Main(KEYPOINTS, 'tPCK'),
    'AUC': _Main(KEYPOINTS, 'AUC'),
    'NME': _Main(KEYPOINTS, 'NME', greater=False),
    'EPE': _Main(KEYPOINTS, 'EPE', unit='', factor=1.0, greater=False),
    'MPJPE': _Main(KEYPOINTS, 'MPJPE', unit='', factor=1.0, greater=False),
    'P-MPJPE': _Main(KEYPOINTS, 'P-MPJPE', unit='', factor=1.0, greater=False),
    'N-MPJPE': _Main(KEYPOINTS, 'N-MPJPE', unit='', factor=1.0, greater=False),
    'top1': _Main(CLASSIFICATION, 'top-1', factor=1.0)}
# What this evaluator reports in percent is a share of others.
_IN_PERCENT = {'PCK': 'MpiiPCKAccuracy'}
# Words in the names of all that the evaluators of MMDetection 3.3, MMPose 1.3 and MMPretrain 1.2
# report, without the digits at their end.
_GREATER = frozenset((
    'map aps apm apl apr apc apf ap ar acc aacc macc accuracy handednessacc top auc pck pckh tpck '
    'iou miou ciou dice mdice precision mprecision recall mrecall fscore mfscore score f1 pq sq rq '
    'ji hota assa deta mota motp mt idf idtp idp idr tp bleu meteor rouge cider spice anls'
).split())
_LESS = frozenset((
    'mmr nme epe mpjpe mrrpe loss error idsw frag ml fp fn idfp idfn').split())


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
        greater: Whether more is better; None if that is not known. Default: True.
    """
    name: str
    task: str
    label: str
    unit: str
    factor: float
    at_50: Optional[str] = None
    greater: Optional[bool] = True

    def of(self, metrics: Mapping[str, float], name: Optional[str] = None) -> Optional[float]:
        """Its value, or that of the metric ``name`` of the same task, in its unit.

        None where it was not measured (:meth:`why_not`).
        """
        return None if self.why_not(metrics, name) else metrics[name or self.name] * self.factor

    def raw(self, metrics: Mapping[str, float]) -> Optional[float]:
        """Its value as the evaluator gives it; None where :meth:`of` is None."""
        return None if self.why_not(metrics) else metrics[self.name]

    def why_not(self, metrics: Mapping[str, float], name: Optional[str] = None) -> str:
        """Why :meth:`of` has no value, as ``'is nan'``; empty if it has one.

        An AP of -1 is COCO's word for "no such objects".
        """
        value = metrics.get(name or self.name)
        if value is None:
            return 'was not measured'
        if not isfinite(value):
            return f'is {value}'
        precise = _PRECISION.search(_split(name or self.name)[1])
        if value < 0 and self.unit or value == -1 and precise:
            return f'is {value:g}: there is nothing to find'
        return ''

    @property
    def axis(self) -> str:
        """The label with its unit, e.g. ``'detection mAP (%)'``."""
        text = self.label if self.task == self.name else f'{self.task} {self.label}'
        return f'{text} ({self.unit})' if self.unit else text

    @property
    def change_axis(self) -> str:
        """Of a difference: ``'change of detection mAP (points)'``."""
        return f'change of {self.axis.replace("(%)", "(points)")}'


def metric_of(name: str, cfgs: Sequence[Mapping[str, Any]] = (), auto: str = 'auto') -> Metric:
    """The metric of this name, known or not.

    Args:
        name: As the evaluator names it.
        cfgs: Configs that it was measured with: their evaluators may say the unit, and what their
            CheckpointHook calls better counts, for unknown metrics its ``greater_keys`` and
            ``less_keys`` too. Default: none; then the table above says it, or the words of the
            name.
        auto: What ``save_best='auto'`` stands for: the first that was measured. Default: nothing.
    """
    prefix, bare = _split(name)
    rule = _agreed(_rule(cfg, name, auto) for cfg in cfgs)
    if not _is_known(name):
        keys = _agreed(_by_keys(cfg, name) for cfg in cfgs)
        greater = next((said for said in (rule, keys) if said is not None), _by_words(bare))
        return Metric(name, name, name, '', 1.0, greater=greater)
    main = _MAIN[bare]
    in_percent = _IN_PERCENT.get(bare) in {kind for cfg in cfgs for kind in _evaluators(cfg)}
    return Metric(name, main.task, main.label, main.unit, 1.0 if in_percent else main.factor,
                  main.at_50 and prefix + main.at_50, main.greater if rule is None else rule)


def metrics_of(names: Iterable[str], cfgs: Iterable[Mapping[str, Any]]) -> List[Metric]:
    """The main metrics of what was measured with configs, which say what they chose."""
    names, cfgs = list(names), list(cfgs)
    chosen = dict.fromkeys(name for cfg in cfgs for name in chosen_metrics(cfg))
    return main_metrics(names, chosen, cfgs)


def main_metrics(names: Iterable[str], chosen: Iterable[str] = (),
                 cfgs: Sequence[Mapping[str, Any]] = ()) -> List[Metric]:
    """One metric per task, in the order of the tasks; of unknown metrics alone, all.

    Args:
        names: Of all that was measured.
        chosen: Of :func:`chosen_metrics`: each stands for its task before all others, known or not.
            Default: none.
        cfgs: As :func:`metric_of` takes them. Default: none.
    """
    names = list(dict.fromkeys(names))
    known = sorted(filter(_is_known, names), key=lambda name: list(_MAIN).index(_split(name)[1]))
    found: Dict[str, Metric] = {}
    for name in [*(name for name in chosen if name in names), *known]:
        metric = metric_of(name, cfgs, *names[:1])
        found.setdefault(metric.task, metric)
    tasks = [main.task for main in _MAIN.values()]
    return sorted(found.values(), key=lambda m: tasks.index(m.task) if m.task in tasks else -1
                  ) or [metric_of(name, cfgs, *names[:1]) for name in names]


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
    return [name for name in _listed(_checkpoint_hook(cfg).get('save_best')) if name != 'auto']


def _checkpoint_hook(cfg: Mapping[str, Any]) -> Mapping[str, Any]:
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    # A config in Python may hold the hook itself, and its text what is noted of that.
    return hook if isinstance(hook, Mapping) else getattr(hook, '__dict__', {})


def _evaluators(cfg: Mapping[str, Any]) -> List[str]:
    """The classes of a config's evaluators, without scope and module."""
    return [str(each['type']).rstrip("'>").rpartition('.')[2]
            for each in _listed(cfg.get('val_evaluator'))
            if isinstance(each, Mapping) and each.get('type')]


def _listed(value: Any) -> List[Any]:
    return [] if value is None else [value] if isinstance(value, (str, Mapping)) else list(value)


def _rule(cfg: Mapping[str, Any], name: str, auto: str) -> Optional[bool]:
    """Whether a config's ``rule`` says that more is better; None if it does not speak of it."""
    hook = _checkpoint_hook(cfg)
    chosen = [auto if each == 'auto' else each for each in _listed(hook.get('save_best'))]
    rules = _listed(hook.get('rule'))
    found = dict(zip(chosen, rules * len(chosen) if len(rules) == 1 else rules))
    return {'greater': True, 'less': False}.get(found.get(name, ''))


def _by_keys(cfg: Mapping[str, Any], name: str) -> Optional[bool]:
    """The same of its ``greater_keys`` and ``less_keys``, matched as the CheckpointHook does it."""
    hook, name = _checkpoint_hook(cfg), name.lower()
    keys = {more: [key.lower() for key in hook.get(what) or ()]
            for more, what in ((True, 'greater_keys'), (False, 'less_keys'))}
    for matches in (name.__eq__, name.__contains__):
        for more, own in keys.items():
            if any(map(matches, own)):
                return more
    return None


def _by_words(bare: str) -> Optional[bool]:
    """The same of the words in a name; None if they say nothing, or both."""
    found = re.findall('[a-z]+[0-9]*', bare.lower())
    words = {*found, *(word.rstrip('0123456789') for word in found)}
    return None if bool(words & _GREATER) == bool(words & _LESS) else bool(words & _GREATER)


def _agreed(said: Iterable[Optional[bool]]) -> Optional[bool]:
    """What is said, if all that say something agree."""
    found = {one for one in said if one is not None}
    return found.pop() if len(found) == 1 else None


def _split(name: str) -> Tuple[str, str]:
    """The evaluator's prefix, with its slash, and the bare name."""
    start = name.rfind('/') + 1
    return name[:start], name[start:]


def _is_known(name: str) -> bool:
    """AP and mAP alone say nothing: any evaluator may use them in any unit."""
    prefix, bare = _split(name)
    return bare in _MAIN and (bare not in _SHORT or prefix[:-1] in _KNOWN)
