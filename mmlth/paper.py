"""Tables 1 to 4 of the paper (Girish et al. 2021), as printed. All numbers are percentages."""
from dataclasses import dataclass
from functools import partial
from typing import Any, List, Optional, Sequence, Tuple

# Network sparsity, mAP, and AP50 or a standard deviation.
_Result = Tuple[float, float, float]


@dataclass(frozen=True)
class Row:
    """One result.

    Args:
        table: 1 to 4.
        task: ``'detection'``, ``'segmentation'`` or ``'keypoint'``.
        dataset: ``'coco'`` or ``'voc'``.
        backbone: ``'resnet18'`` or ``'resnet50'``.
        prune: Per cent of the weights in scope that are pruned. (Of Table 3 the paper says
            "20 %", which is what survives.)
        network_sparsity: Zeros among all parameters of the network.
        map: Mean average precision by the data set's own definition.
        ap50: At an IoU (keypoints: OKS) of 0.5. None where it is not printed.
        std: Standard deviation of ``map`` over 5 runs. None for a single run.
        source: What the ticket was drawn of: ``'imagenet'``, ``'detection'`` (which is
            detection and segmentation, one model) or ``'keypoint'``. None for dense models.
        modules: Table 3: which of ``'base'``, ``'top'``, ``'rpn'``, ``'head'`` are pruned.
        param_percent: Table 3: the share of these modules in the network's parameters.
    """
    table: int
    task: str
    dataset: str
    backbone: str
    prune: int
    network_sparsity: float
    map: float
    ap50: Optional[float] = None
    std: Optional[float] = None
    source: Optional[str] = None
    modules: Optional[Tuple[str, ...]] = None
    param_percent: Optional[float] = None


def _imagenet_rows(table: int, backbone: str, results: Sequence[
        Tuple[int, _Result, _Result, _Result, _Result]]) -> List[Row]:
    """Rows of Tables 1 and 2: three tasks of COCO, then VOC."""
    rows = []
    for prune, detection, segmentation, keypoint, voc in results:
        row = partial(Row, table, backbone=backbone, prune=prune,
                      source='imagenet' if prune else None)
        for task, (sparsity, mean, ap50) in (('detection', detection),
                                             ('segmentation', segmentation),
                                             ('keypoint', keypoint)):
            rows.append(row(task=task, dataset='coco', network_sparsity=sparsity, map=mean,
                            ap50=ap50))
        sparsity, mean, std = voc
        rows.append(row(task='detection', dataset='voc', network_sparsity=sparsity, map=mean,
                        std=std))
    return rows


# Prune %, then (network sparsity, mAP, AP50) of detection, segmentation and keypoints, and
# (network sparsity, mAP, standard deviation) of VOC.
_TABLE_1 = [
    (90, (31.61, 25.59, 43.69), (31.61, 24.03, 40.89), (21.47, 55.30, 79.30),
     (79.49, 63.91, 0.41)),
    (80, (28.10, 27.70, 46.50), (28.10, 25.90, 43.70), (19.09, 56.70, 81.10),
     (70.66, 65.82, 0.23)),
    (50, (17.57, 28.52, 47.54), (17.57, 26.60, 44.66), (11.94, 56.96, 80.83),
     (44.16, 68.06, 0.11)),
    (0, (0.0, 29.91, 49.05), (0.0, 27.64, 46.00), (0.0, 58.59, 82.04), (0.0, 68.53, 0.29)),
]
_TABLE_2 = [
    (90, (41.99, 30.66, 50.75), (41.99, 28.68, 47.76), (31.49, 57.78, 82.25),
     (65.37, 71.20, 0.21)),
    (80, (37.33, 31.01, 50.98), (37.33, 29.04, 47.90), (28.0, 58.55, 83.06), (58.11, 71.08, 0.20)),
    (0, (0.0, 38.5, 59.29), (0.0, 35.13, 56.39), (0.0, 64.59, 86.48), (0.0, 71.21, 0.32)),
]
# Modules, their share of the parameters, network sparsity, mAP, standard deviation.
_TABLE_3 = [
    ((), 0.0, 0.0, 69.74, 0.16),
    (('head',), 0.65, 0.52, 70.30, 0.14),
    (('rpn',), 9.71, 7.77, 70.02, 0.19),
    (('rpn', 'head'), 10.36, 8.29, 70.08, 0.10),
    (('base',), 21.93, 17.55, 69.32, 0.07),
    (('base', 'head'), 22.59, 18.07, 69.60, 0.19),
    (('base', 'rpn'), 31.64, 25.31, 69.39, 0.25),
    (('base', 'rpn', 'head'), 32.29, 25.83, 69.47, 0.15),
    (('top',), 66.39, 53.11, 69.02, 0.19),
    (('top', 'head'), 67.04, 53.63, 68.74, 0.21),
    (('top', 'rpn'), 76.09, 60.88, 68.88, 0.25),
    (('top', 'rpn', 'head'), 76.75, 61.40, 68.93, 0.26),
    (('base', 'top'), 88.32, 70.66, 68.45, 0.21),
    (('base', 'top', 'head'), 88.97, 71.18, 68.54, 0.23),
    (('base', 'top', 'rpn'), 98.03, 78.42, 68.51, 0.23),
    (('base', 'top', 'rpn', 'head'), 98.68, 78.94, 68.47, 0.10),
]
# Target task, source task, network sparsity, mAP, AP50.
_TABLE_4 = [
    ('detection', 'detection', 78.4, 30.04, 49.40),
    ('detection', 'keypoint', 50.11, 23.94, 41.08),
    ('segmentation', 'detection', 78.4, 27.90, 46.68),
    ('segmentation', 'keypoint', 50.11, 23.02, 39.01),
    ('keypoint', 'detection', 76.98, 58.31, 81.53),
    ('keypoint', 'keypoint', 79.4, 59.34, 82.36),
]

ROWS: List[Row] = [
    *_imagenet_rows(1, 'resnet18', _TABLE_1),
    *_imagenet_rows(2, 'resnet50', _TABLE_2),
    *(Row(3, 'detection', 'voc', 'resnet18', 80 if modules else 0, sparsity, mean, std=std,
          source='detection' if modules else None, modules=modules, param_percent=share)
      for modules, share, sparsity, mean, std in _TABLE_3),
    *(Row(4, task, 'coco', 'resnet18', 80, sparsity, mean, ap50, source=source)
      for task, source, sparsity, mean, ap50 in _TABLE_4),
]


def find(**wanted: Any) -> List[Row]:
    """The rows whose fields equal those given, in the paper's order.

    ``find(table=1, task='detection', dataset='voc', prune=80)``; ``modules`` may be in any
    order and any sequence.

    Raises:
        TypeError: A row has no such field.
    """
    unknown = set(wanted) - set(Row.__dataclass_fields__)
    if unknown:
        raise TypeError(f'a row of the paper has no {", ".join(sorted(unknown))}; its fields are '
                        f'{", ".join(Row.__dataclass_fields__)}')
    if wanted.get('modules') is not None:
        order = ('base', 'top', 'rpn', 'head')
        wanted['modules'] = tuple(sorted(wanted['modules'], key=order.index))
    return [row for row in ROWS if all(getattr(row, k) == v for k, v in wanted.items())]
