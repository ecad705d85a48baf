"""Average precision of predictions: overall, by object size, by category."""
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .quiet import quiet
from .truth import category_names

# COCO's areas in pixels: small < 32^2 <= medium < 96^2 <= large.
SIZES = ('small', 'medium', 'large')


def with_results(truth: COCO, results: List[dict]) -> COCO:
    """The results as what COCO's evaluation compares with ``truth``.

    Args:
        truth: ``COCO`` of pycocotools or xtcocotools.
        results: In COCO's form of results; may be empty, which its own ``loadRes`` refuses.
    """
    with quiet():
        if results:
            return truth.loadRes([dict(r) for r in results])    # it adds outlines to them
        empty = type(truth)()
        empty.dataset = dict(images=truth.dataset['images'], annotations=[],
                             categories=truth.dataset['categories'])
        empty.createIndex()
        return empty


def measure(evaluation: COCOeval) -> Dict[str, Any]:
    """Average precision by COCO's protocol, read from its precision curves.

    Args:
        evaluation: A ``COCOeval`` with its parameters set, not yet evaluated.

    Returns:
        dict: ``AP`` (mean over the thresholds, 0.50 to 0.95 by default), ``AP50``, ``AP75``,
        ``sizes`` and ``categories`` (name -> AP) as fractions, None where there is no
        object; ``objects`` (name of the size -> how many there are).
    """
    with quiet():
        evaluation.evaluate()
        evaluation.accumulate()
    params, precision = evaluation.params, evaluation.eval['precision']
    precision = precision[..., -1]      # thresholds, recalls, categories, sizes
    labels = list(params.areaRngLbl)
    names = category_names(evaluation.cocoGt.dataset['categories'])
    sizes = [label for label in labels if label in SIZES]
    at: Dict[int, Optional[float]] = {50: None, 75: None}
    for threshold in at:
        found = np.flatnonzero(np.isclose(params.iouThrs, threshold / 100))
        at[threshold] = _mean(precision[found[:1], :, :, 0])
    return dict(
        AP=_mean(precision[..., 0]), AP50=at[50], AP75=at[75],
        sizes={size: _mean(precision[..., labels.index(size)]) for size in sizes},
        objects={size: _count(evaluation, labels.index(size)) for size in sizes},
        categories={names[category]: _mean(precision[:, :, k, 0])
                    for k, category in enumerate(params.catIds)})


def measure_voc(truth: COCO, results: List[dict], thresholds: Sequence[float],
                mode: str) -> Dict[str, Any]:
    """Average precision by Pascal VOC's protocol, with MMDetection's own function.

    Args:
        truth: With the objects that VOC marks as difficult as crowds: neither finding nor
            missing them counts.
        results: Boxes in COCO's form of results.
        thresholds: IoU thresholds, e.g. ``[0.5]``.
        mode: ``'11points'`` (VOC 2007) or ``'area'``.

    Returns:
        dict: ``AP`` (mean over the thresholds), ``AP50`` (None if not among them), ``AP75``
        and ``categories``, as in :func:`measure`.
    """
    from mmdet.evaluation.functional import eval_map
    categories = truth.getCatIds()
    found: Dict[Any, List[dict]] = {image: [] for image in truth.getImgIds()}
    for result in results:
        found[result['image_id']].append(result)
    predicted = [[_boxes([r for r in found[image] if r['category_id'] == category], True)
                  for category in categories] for image in found]
    annotated = [_voc_truth(truth, image, categories) for image in found]
    means, per_class = {}, []
    for threshold in thresholds:
        mean, classes = eval_map(predicted, annotated, iou_thr=threshold, eval_mode=mode,
                                 use_legacy_coordinate=True, logger='silent', nproc=1,
                                 dataset=[truth.cats[c]['name'] for c in categories])
        means[round(100 * threshold)] = float(mean)
        per_class.append([float(c['ap']) if c['num_gts'] else np.nan for c in classes])
    average = np.mean(per_class, axis=0)
    return dict(
        AP=float(np.mean(list(means.values()))), AP50=means.get(50), AP75=means.get(75),
        categories={truth.cats[c]['name']: None if np.isnan(ap) else float(ap)
                    for c, ap in zip(categories, average)})


def _voc_truth(truth: COCO, image: Any, categories: List[int]) -> Dict[str, np.ndarray]:
    objects = truth.imgToAnns[image]
    counted = [o for o in objects if not o['iscrowd']]
    ignored = [o for o in objects if o['iscrowd']]
    labels = (lambda part: np.array([categories.index(o['category_id']) for o in part], int))
    return dict(bboxes=_boxes(counted), labels=labels(counted), bboxes_ignore=_boxes(ignored),
                labels_ignore=labels(ignored))


def _boxes(objects: List[dict], score: bool = False) -> np.ndarray:
    """(N, 4) as x1, y1, x2, y2, or (N, 5) with the score."""
    rows = [[x, y, x + w, y + h, *([o['score']] if score else [])]
            for o in objects for x, y, w, h in [o['bbox']]]
    return np.array(rows, np.float32).reshape(-1, 5 if score else 4)


def _mean(precision: np.ndarray) -> Optional[float]:
    known = precision[precision > -1]       # -1 where there is no object
    return float(known.mean()) if known.size else None


def _count(evaluation: COCOeval, area: int) -> int:
    """Objects of one range of areas, crowds and those without keypoints left out."""
    wanted = list(evaluation.params.areaRng[area])
    return int(sum((1 - np.asarray(image['gtIgnore'], int)).sum()
                   for image in evaluation.evalImgs
                   if image is not None and list(image['aRng']) == wanted))
