"""Average precision of boxes and of poses."""
from collections import OrderedDict
from typing import Any, Dict, List, Sequence, Union

import numpy as np
from mmdet.datasets.api_wrappers import COCOeval
from mmdet.evaluation import CocoMetric
from mmengine.fileio import dump
from mmengine.logging import MMLogger

from mmlth.registry import METRICS

# Where pycocotools puts them in the statistics of keypoints.
_ITEMS = dict(mAP=0, mAP_50=1, mAP_75=2, mAP_m=3, mAP_l=4, AR=5, AR_50=6, AR_75=7, AR_m=8,
              AR_l=9)


@METRICS.register_module()
class CocoKeypointDetMetric(CocoMetric):
    """CocoMetric with ``'keypoints'``: AP by object keypoint similarity (OKS).

    ``keypoints_mAP`` and others come from pycocotools: 20 poses per image, OKS thresholds
    0.50 to 0.95, persons without labelled keypoints ignored. A pose is ranked by the score
    of its box, as in Detectron.

    Args:
        ann_file (str): The COCO keypoint file. It is needed, since OKS depends on the area
            of an object's mask, which no prediction carries.
        metric (str | Sequence[str]): Any of ``'bbox'``, ``'segm'``, ``'proposal'``,
            ``'proposal_fast'``, ``'keypoints'``. Default: the first and the last.
        score_mode (str): ``'bbox'``, or ``'bbox_keypoint'`` to rank a pose by the score
            of its box times the mean score of its keypoints. Default: ``'bbox'``.
        **kwargs: Those of :class:`mmdet.evaluation.CocoMetric`.
    """

    def __init__(self, ann_file: str, metric: Union[str, Sequence[str]] = ('bbox', 'keypoints'),
                 score_mode: str = 'bbox', **kwargs: Any):
        if not ann_file:
            raise ValueError('CocoKeypointDetMetric needs ann_file, a COCO keypoint file')
        if score_mode not in ('bbox', 'bbox_keypoint'):
            raise ValueError(
                f'score_mode must be "bbox" or "bbox_keypoint", got {score_mode!r}')
        metrics = [metric] if isinstance(metric, str) else list(metric)
        super().__init__(
            ann_file=ann_file, metric=[m for m in metrics if m != 'keypoints'], **kwargs)
        self.with_keypoints = 'keypoints' in metrics
        self.score_mode = score_mode

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of a batch, in pixels of the original images."""
        super().process(data_batch, data_samples)
        if self.with_keypoints:
            for (_, result), sample in zip(self.results[-len(data_samples):], data_samples):
                result['keypoints'] = sample['pred_instances']['keypoints'].cpu().numpy()

    def results2json(self, results: Sequence[dict], outfile_prefix: str) -> dict:
        """Also write ``PREFIX.keypoints.json``, in the form of COCO's results."""
        files = super().results2json(results, outfile_prefix)
        if self.with_keypoints:
            files['keypoints'] = f'{outfile_prefix}.keypoints.json'
            dump(self._poses(results), files['keypoints'])
        return files

    def compute_metrics(self, results: list) -> Dict[str, float]:
        """``bbox_mAP`` and so on, and ``keypoints_mAP``, ``keypoints_AR`` and so on."""
        values = OrderedDict(super().compute_metrics(results))
        if self.with_keypoints and not self.format_only:
            values.update(self._evaluate_poses(self._poses([pred for _, pred in results])))
        return values

    def _poses(self, results: Sequence[dict]) -> List[dict]:
        poses = []
        for result in results:
            scores = result['scores']
            if self.score_mode == 'bbox_keypoint':
                scores = scores * result['keypoints'][..., 2].mean(-1)
            for label, score, keypoints in zip(result['labels'], scores, result['keypoints']):
                # COCO counts pixels, see CocoKeypointDetDataset.
                keypoints = keypoints - np.array([0.5, 0.5, 0])
                poses.append(dict(
                    image_id=result['img_id'], category_id=self.cat_ids[label],
                    keypoints=keypoints.flatten().tolist(), score=float(score)))
        return poses

    def _evaluate_poses(self, poses: List[dict]) -> Dict[str, float]:
        logger = MMLogger.get_current_instance()
        logger.info('Evaluating keypoints...')
        if not poses:
            logger.error('The testing results of the whole dataset is empty.')
            return {f'keypoints_{item}': 0. for item in _ITEMS}
        evaluation = COCOeval(self._coco_api, self._coco_api.loadRes(poses), 'keypoints')
        evaluation.params.catIds = self.cat_ids
        evaluation.params.imgIds = self.img_ids
        evaluation.params.kpt_oks_sigmas = np.array(self.dataset_meta['sigmas'])
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return {f'keypoints_{item}': round(float(evaluation.stats[i]), 3)
                for item, i in _ITEMS.items()}
