"""Four keypoints of ten classes through MMDetection's and MMPose's metrics."""
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmengine.registry import METRICS
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from pycocotools.coco import COCO

from mmlth.datasets import make_digits
from mmlth.engine.config import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'lth'
SIGMA = 0.107


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_digits(tmp_path_factory.mktemp('digits') / 'digits', train=2, val=30, size=96)


@pytest.fixture(scope='module')
def annotations(root):
    return list(COCO(str(root / 'annotations/instances_val.json')).anns.values())


@pytest.fixture(scope='module')
def detections():
    return load_config(str(CONFIGS / 'keypoint_rcnn_r18_digits.py'))


def moved(annotations, oks):
    """Every keypoint moved so far to the right that it is worth ``oks``."""
    points = np.array([a['keypoints'] for a in annotations], float).reshape(-1, 4, 3)
    scale = np.sqrt([a['area'] for a in annotations])
    points[..., 0] += (scale * 2 * SIGMA * np.sqrt(-2 * np.log(oks)))[:, None]
    return points[..., :2]


def by_image(annotations):
    images = {}
    for i, annotation in enumerate(annotations):
        images.setdefault(annotation['image_id'], []).append(i)
    return images


def detector_ap(cfg, root, annotations, points):
    metric = METRICS.build(dict(
        cfg.val_evaluator, ann_file=str(root / 'annotations/instances_val.json'),
        metric='keypoints'))
    metric.dataset_meta = dict(cfg.val_dataloader.dataset.metainfo)
    for image_id, indices in by_image(annotations).items():
        boxes = np.array([annotations[i]['bbox'] for i in indices], float)
        boxes[:, 2:] += boxes[:, :2]
        # continuous coordinates, as the model's: half a pixel more
        found = np.concatenate([points[indices] + 0.5, np.ones((len(indices), 4, 1))], 2)
        metric.process({}, [dict(
            img_id=image_id, ori_shape=(96, 96), pred_instances=dict(
                bboxes=torch.tensor(boxes), scores=torch.ones(len(indices)),
                labels=torch.tensor([annotations[i]['category_id'] - 1 for i in indices]),
                keypoints=torch.tensor(found)))])
    return metric.evaluate(len(by_image(annotations)))['coco/keypoints_mAP']


def pose_ap(root, annotations, points):
    cfg = load_config(str(CONFIGS / 'td_hm_r18_digits.py'))
    metric = METRICS.build(dict(
        cfg.val_evaluator, type='mmpose.CocoMetric',
        ann_file=str(root / 'annotations/instances_val.json')))
    metric.dataset_meta = parse_pose_metainfo(cfg.val_dataloader.dataset.metainfo.to_dict())
    metric.process({}, [dict(
        id=a['id'], img_id=a['image_id'], category_id=a['category_id'], gt_instances={},
        pred_instances=dict(
            keypoints=points[i:i + 1], keypoint_scores=np.ones((1, 4), np.float32)))
        for i, a in enumerate(annotations)])
    return metric.evaluate(len(annotations))['coco/AP']


@pytest.mark.parametrize('oks, expected', [(1., 1.), (0.77, 0.6), (0.49, 0.)])
def test_both_metrics_know_the_similarity(root, annotations, detections, oks, expected):
    """Of the ten thresholds 0.50, 0.55 ... 0.95, six lie below 0.77."""
    points = moved(annotations, oks)
    assert detector_ap(detections, root, annotations, points) == pytest.approx(expected, abs=1e-3)
    assert pose_ap(root, annotations, points) == pytest.approx(expected, abs=1e-3)


def test_data_set_has_boxes_and_keypoints_of_one_digit_together(root, annotations, detections):
    register_all_modules()
    cfg = detections.val_dataloader.dataset
    cfg.update(data_root=str(root), pipeline=[])
    dataset = DATASETS.build(cfg)
    assert len(dataset) == 30
    instances = [instance for i in range(30) for instance in dataset[i]['instances']]
    assert len(instances) == len(annotations)
    for instance, annotation in zip(instances, annotations):
        assert instance['bbox_label'] == annotation['category_id'] - 1
        expected = np.array(annotation['keypoints']).reshape(4, 3) + [0.5, 0.5, 0]
        assert np.array_equal(instance['keypoints'], expected)
