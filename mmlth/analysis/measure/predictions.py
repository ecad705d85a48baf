"""Predict the evaluation data once, with the config's own loop, and keep what was predicted."""
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from mmengine.runner import BaseLoop, Runner
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmlth.core.errors import UserError
from mmlth.core.flops import WATCHES, count_flops
from mmlth.engine.chain.samples import skeleton_of
from mmlth.engine.runners import bare_model
from mmlth.engine.types import class_of_config

from .evaluator import evaluator
from .precision import measure, measure_voc, with_results
from .quiet import quiet
from .truth import to_coco

_FLOP_IMAGES = 4    # how many inputs operations are counted on


@dataclass
class Predictions:
    """What a network predicts for the evaluation data.

    Args:
        truth: The ground truth, a ``COCO`` of pycocotools or xtcocotools.
        results: ``'bbox'``, ``'segm'``, ``'keypoints'`` -> predictions in COCO's form.
        precision: The same keys -> see :func:`mmlth.analysis.measure.precision.measure`, and
            ``protocol`` (``'COCO'`` or ``'Pascal VOC'``) of all but ``sizes``.
        flops: See :func:`mmlth.core.flops.count_flops`, the mean of ``inputs``; None where
            they cannot be counted.
        dataset: The evaluation data.
        skeleton: Pairs of indices of keypoints.
        loop: ``'val'`` or ``'test'``.
    """
    truth: COCO
    results: Dict[str, List[dict]]
    precision: Dict[str, dict]
    flops: Optional[Dict[str, Any]]
    dataset: BaseDataset
    skeleton: List[List[int]]
    loop: str


def predict(cfg: Config, checkpoint: Union[str, Path]) -> Predictions:
    """Run the validation loop of a config, or its test loop if it has no other.

    Args:
        cfg: Of a round.
        checkpoint: Its weights.

    Raises:
        UserError: The data are not where the config says, or no metric of the loop has
            ground truth by category (``CocoMetric``, ``CocoKeypointDetMetric``, ``VOCMetric``).
    """
    with quiet(), evaluator(cfg, checkpoint) as (runner, loop, name):
        watched = _watch(loop, str(Path(runner.work_dir) / 'results'))
        getattr(runner, name)()
        return _collect(watched, loop, name, count_inputs(runner, loop, name))


def count_inputs(runner: Runner, loop: BaseLoop, name: str) -> Optional[Dict[str, Any]]:
    """The mean operations per input, an image or in top-down pose a person, of the first few.

    None before PyTorch 2.0, where no operator can be watched.
    """
    if not WATCHES:
        return None
    model, dataset = bare_model(runner.model), loop.dataloader.dataset
    size = min(_FLOP_IMAGES, len(dataset))
    step = getattr(model, f'{name}_step')
    counts = count_flops(model, lambda: [
        step(loop.dataloader.collate_fn([dataset[i]])) for i in range(size)])
    return dict(inputs=size, total=counts['total'] / size,
                layers={layer: count / size for layer, count in counts['layers'].items()})


def tells_categories(cfg: Config) -> bool:
    """Whether :func:`predict` finds a metric that it can use, by the types in the config."""
    name = 'val' if cfg.get('val_dataloader') else 'test'
    kinds = [class_of_config(METRICS, metric, cfg.get('default_scope'))
             for metric in _metrics(cfg.get(f'{name}_evaluator'))]
    return any(_is_coco(kind) or _is_voc(kind) for kind in kinds if kind)


def _metrics(evaluator: Any) -> List[Dict[str, Any]]:
    """The metrics of an evaluator's config, which may be a list or have a list in it."""
    if isinstance(evaluator, (list, tuple)):
        return [metric for item in evaluator for metric in _metrics(item)]
    evaluator = evaluator or {}
    return _metrics(evaluator['metrics']) if 'metrics' in evaluator else [evaluator]


def _is_coco(metric: type) -> bool:
    names = {kind.__name__ for kind in metric.__mro__}
    return 'CocoMetric' in names and 'LVISMetric' not in names


def _is_voc(metric: type) -> bool:
    return 'VOCMetric' in {kind.__name__ for kind in metric.__mro__}


@dataclass
class _Watched:
    """The metric that writes predictions to files, and VOC's settings if it is of that kind."""
    metric: BaseMetric
    prefix: str
    voc: Optional[dict] = None


def _watch(loop: BaseLoop, prefix: str) -> _Watched:
    """Let a metric of the loop write its predictions to files, and no other run."""
    for metric in loop.evaluator.metrics:
        if _is_coco(type(metric)):
            watched = _Watched(metric, prefix)
            break
        if _is_voc(type(metric)):
            watched = _Watched(_boxes_metric(loop), prefix, dict(
                thresholds=metric.iou_thrs, mode=metric.eval_mode))
            break
    else:
        names = ', '.join(type(metric).__name__ for metric in loop.evaluator.metrics)
        raise UserError(
            f'of the metrics of this config ({names}) none tells object sizes and categories: '
            'expected a CocoMetric, a CocoKeypointDetMetric or a VOCMetric')
    watched.metric.outfile_prefix, watched.metric.format_only = prefix, True
    loop.evaluator.metrics = [watched.metric]
    return watched


def _boxes_metric(loop: BaseLoop) -> BaseMetric:
    """A metric that keeps the boxes of any MMDetection data set in COCO's form."""
    from mmdet.evaluation import CocoMetric
    metric = CocoMetric()
    metric.dataset_meta = loop.dataloader.dataset.metainfo
    truth = metric._coco_api = to_coco(loop.dataloader.dataset)
    metric.cat_ids, metric.img_ids = truth.getCatIds(), truth.getImgIds()
    return metric


def _collect(watched: _Watched, loop: BaseLoop, name: str,
             flops: Optional[Dict[str, Any]]) -> Predictions:
    metric = watched.metric
    truth = getattr(metric, 'coco', None) or metric._coco_api
    results, precision = {}, {}
    for kind in _kinds(metric):
        results[kind] = json.loads(
            Path(f'{watched.prefix}.{kind}.json').read_text(encoding='utf-8'))
        precision[kind] = dict(
            measure(_evaluation(metric, truth, results[kind], kind)), protocol='COCO')
        if watched.voc:
            precision[kind].update(measure_voc(truth, results[kind], **watched.voc),
                                   protocol='Pascal VOC')
    return Predictions(truth, results, precision, flops, loop.dataloader.dataset,
                       skeleton_of(metric.dataset_meta), name)


def _kinds(metric: BaseMetric) -> List[str]:
    if hasattr(metric, 'coco'):     # MMPose
        return ['keypoints']
    kinds = [kind for kind in metric.metrics if kind in ('bbox', 'segm')]
    return [*kinds, *(['keypoints'] if getattr(metric, 'with_keypoints', False) else [])]


def _evaluation(metric: BaseMetric, truth: COCO, results: List[dict], kind: str) -> COCOeval:
    """COCO's evaluation with the parameters of the metric."""
    if kind == 'segm':      # with a box, its area would decide on the size of a mask
        results = [{k: v for k, v in r.items() if k != 'bbox'} for r in results]
    results = with_results(truth, results)
    if hasattr(metric, 'coco'):
        from xtcocotools.cocoeval import COCOeval as PoseEval
        evaluation = PoseEval(truth, results, metric.iou_type,
                              np.array(metric.dataset_meta['sigmas']), metric.use_area)
        evaluation.params.useSegm = None
        return evaluation
    evaluation = COCOeval(truth, results, kind)
    evaluation.params.catIds, evaluation.params.imgIds = metric.cat_ids, metric.img_ids
    if kind == 'keypoints':
        evaluation.params.kpt_oks_sigmas = np.array(metric.dataset_meta['sigmas'])
    else:
        evaluation.params.iouThrs = metric.iou_thrs
    return evaluation
