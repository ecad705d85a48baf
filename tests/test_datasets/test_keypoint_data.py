"""The COCO keypoint data set, its metric and its pictures, on real images."""
import json
from itertools import count

import cv2
import numpy as np
import pytest
import torch
from mmdet.models.utils import samplelist_boxtype2tensor
from mmdet.registry import DATASETS, METRICS, VISUALIZERS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.structures import InstanceData

from mmlth.datasets.keypoints import CocoKeypointDetDataset, flip_indices
from mmlth.datasets.keypoints.dataset import COCO_PERSON

NUMBER = count()
TEST_PIPELINE = [
    dict(type='LoadImageFromFile'), dict(type='Resize', scale=(160, 120), keep_ratio=True),
    dict(type='mmlth.LoadKeypointAnnotations'), dict(type='mmlth.PackKeypointInputs')]


def dataset(root, ann_file='person_keypoints_val.json', pipeline=(), **kwargs):
    register_all_modules()
    return DATASETS.build(dict(
        type='mmlth.CocoKeypointDetDataset', data_root=str(root), ann_file=str(ann_file),
        data_prefix=dict(img='images/'), pipeline=list(pipeline), **kwargs))


@pytest.fixture(scope='module')
def root(real_data):
    return real_data / 'coco_person'


@pytest.fixture(scope='module')
def val(root):
    return dataset(root, test_mode=True, pipeline=TEST_PIPELINE)


def annotations(root, split='val'):
    return json.loads((root / f'person_keypoints_{split}.json').read_text())


def test_metainfo_is_that_of_the_file(root):
    category = annotations(root)['categories'][0]
    names = list(COCO_PERSON['keypoint_names'])
    assert names == category['keypoints']
    assert [[names.index(name) + 1 for name in link] for link in COCO_PERSON['skeleton']] == (
        category['skeleton'])


def test_sigmas_are_those_of_pycocotools():
    from pycocotools.cocoeval import Params
    np.testing.assert_allclose(COCO_PERSON['sigmas'], Params('keypoints').kpt_oks_sigmas)


def test_flip_indices():
    assert flip_indices(COCO_PERSON) == [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    assert flip_indices(dict(keypoint_names=('top', 'bottom'))) == [0, 1]
    with pytest.raises(ValueError, match='tail'):
        flip_indices(dict(keypoint_names=('nose', ), flip_pairs=[('nose', 'tail')]))


def test_keypoints_are_pixel_centres(root, val):
    by_image = {}
    for annotation in annotations(root)['annotations']:
        by_image.setdefault(annotation['image_id'], []).append(annotation)
    for i in range(len(val)):
        info = val.get_data_info(i)
        wanted = by_image.get(info['img_id'], [])
        assert len(info['instances']) == len(wanted)
        for instance, annotation in zip(info['instances'], wanted):
            x, y, w, h = annotation['bbox']
            assert instance['bbox'] == [x, y, x + w, y + h]
            raw = np.array(annotation['keypoints'], dtype=float).reshape(17, 3)
            shift = np.array([0.5, 0.5, 0]) * (raw[:, 2:] > 0)
            np.testing.assert_allclose(instance['keypoints'], raw + shift)


def write(tmp_path, **persons):
    """A keypoint file of one image per keyword, each with the given annotations."""
    ids = {name: i for i, name in enumerate(persons, 1)}
    rows = [dict(dict(bbox=[10, 10, 50, 60], area=2000., iscrowd=0, category_id=1), image_id=ids[n],
                 num_keypoints=sum(v > 0 for v in a.get('keypoints', [])[2::3]), **a)
            for n, annotations in persons.items() for a in annotations]
    path = tmp_path / 'persons.json'
    path.write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{n}.jpg', width=100, height=90) for n, i in ids.items()],
        annotations=[dict(row, id=i) for i, row in enumerate(rows, 1)],
        categories=[dict(id=1, name='person', keypoints=list(COCO_PERSON['keypoint_names']),
                         skeleton=[])])))
    return path


NOSE = [30, 40, 2] + [0] * 48


def test_filter_keeps_images_with_keypoints(tmp_path):
    path = write(tmp_path, posed=[dict(keypoints=NOSE)], bare=[dict(keypoints=[0] * 51)],
                 crowd=[dict(keypoints=NOSE, iscrowd=1)], unlabelled=[{}], empty=[])

    def names(**filter_cfg):
        data = dataset(tmp_path, path, filter_cfg=filter_cfg)
        return [data.get_data_info(i)['img_path'].split('/')[-1][:-4] for i in range(len(data))]

    assert names() == ['posed', 'bare', 'crowd', 'unlabelled', 'empty']
    assert names(filter_empty_gt=True) == ['posed', 'bare', 'crowd', 'unlabelled']
    assert names(filter_empty_gt=True, min_keypoints=1) == ['posed']
    assert names(min_keypoints=0) == names()


def test_crowds_are_marked_and_small_boxes_keep_keypoints_aligned(tmp_path):
    path = write(tmp_path, image=[
        dict(bbox=[5, 5, 0.5, 0.5]),    # MMDetection leaves out boxes below one pixel
        dict(keypoints=NOSE), dict(iscrowd=1)])
    instances = dataset(tmp_path, path).get_data_info(0)['instances']
    assert [instance['ignore_flag'] for instance in instances] == [0, 1]
    assert instances[0]['keypoints'][0].tolist() == [30.5, 40.5, 2]
    assert not instances[1]['keypoints'].any()


def test_wrong_number_of_keypoints_is_reported(tmp_path):
    with pytest.raises(ValueError, match='6 numbers for 17 keypoint_names'):
        dataset(tmp_path, write(tmp_path, image=[dict(keypoints=[1, 1, 2, 1, 1, 2])]))


def test_other_keypoints_need_their_own_metainfo(tmp_path):
    """COCO's spread of annotators is that of COCO's keypoints, however many others there are."""
    path = write(tmp_path, image=[dict(keypoints=[30, 40, 2] * 17)])
    names = [f'finger_{i}' for i in range(17)]

    def built(**metainfo):
        return dataset(tmp_path, path, metainfo=dict(keypoint_names=names, **metainfo))

    with pytest.raises(ValueError, match='needs flip_pairs and sigmas for them'):
        built()
    with pytest.raises(ValueError, match='needs sigmas for them'):
        built(flip_pairs=())
    with pytest.raises(ValueError, match='5 sigmas for 17 keypoint_names'):
        built(flip_pairs=(), sigmas=[0.1] * 5)
    with pytest.raises(ValueError, match=r"skeleton names \['thumb'\]"):
        built(flip_pairs=(), sigmas=[0.1] * 17, skeleton=[('thumb', 'finger_1')])
    assert built(flip_pairs=(), sigmas=[0.1] * 17).metainfo['skeleton'] == ()
    same = dict(keypoint_names=COCO_PERSON['keypoint_names'])
    assert dataset(tmp_path, path, metainfo=same).metainfo['sigmas'] == COCO_PERSON['sigmas']


def metric(root, **kwargs):
    register_all_modules()
    built = METRICS.build(dict(
        type='mmlth.CocoKeypointDetMetric', ann_file=str(root / 'person_keypoints_val.json'),
        **kwargs))
    built.dataset_meta = CocoKeypointDetDataset.METAINFO
    return built


def predictions(val, shift=0., scores=None):
    """The ground truth as if the model had found it, in pixels of the original image."""
    samples = []
    for i in range(len(val)):
        sample = val[i]['data_samples']
        truth = sample.gt_instances
        keypoints = truth.keypoints.clone()
        # Nobody can know the pose of a person without labels: these come last.
        guess = 0.5 + 0.5 * (keypoints[..., 2] > 0).any(1)
        keypoints[..., :2] += shift
        keypoints[..., 2] = 0.9
        sample.pred_instances = InstanceData(
            bboxes=truth.bboxes.tensor, labels=truth.labels, keypoints=keypoints,
            scores=guess if scores is None else torch.full((len(truth), ), scores))
        samples.append(sample.to_dict())
    return samples


def evaluate(built, samples):
    for sample in samples:
        built.process({}, [sample])
    return built.evaluate(len(samples))


def test_perfect_predictions_score_one(root, val):
    result = evaluate(metric(root), predictions(val))
    for item in ('bbox_mAP', 'keypoints_mAP', 'keypoints_mAP_50', 'keypoints_mAP_75',
                 'keypoints_mAP_m', 'keypoints_mAP_l', 'keypoints_AR'):
        assert result[f'coco/{item}'] == 1.0, item


def test_score_falls_with_distance(root, val):
    near, far = (evaluate(metric(root, metric='keypoints'), predictions(val, shift=s))
                 for s in (3., 12.))
    assert set(near) == {f'coco/keypoints_{item}' for item in (
        'mAP', 'mAP_50', 'mAP_75', 'mAP_m', 'mAP_l', 'AR', 'AR_50', 'AR_75', 'AR_m', 'AR_l')}
    assert 1 > near['coco/keypoints_mAP'] > far['coco/keypoints_mAP'] > 0


def test_no_predictions_score_zero(root, val):
    samples = predictions(val)
    for sample in samples:
        found = sample['pred_instances']
        sample['pred_instances'] = {name: value[:0] for name, value in found.items()}
    assert evaluate(metric(root), samples)['coco/keypoints_mAP'] == 0


def test_poses_are_ranked_by_their_box_or_by_both(root, val):
    samples = predictions(val, scores=0.5)
    for mode, score in (('bbox', 0.5), ('bbox_keypoint', 0.45)):
        built = metric(root, score_mode=mode)
        evaluate(built, samples)
        for sample in samples:
            built.process({}, [sample])
        poses = built._poses([result for _, result in built.results])
        assert {round(pose['score'], 4) for pose in poses} == {score}


def test_results_can_be_written_for_the_test_server(root, val, tmp_path):
    built = metric(root, format_only=True, outfile_prefix=str(tmp_path / 'out'))
    assert evaluate(built, predictions(val)) == {}
    poses = json.loads((tmp_path / 'out.keypoints.json').read_text())
    assert len(poses) == len(annotations(root)['annotations'])
    raw = annotations(root)['annotations'][0]['keypoints']
    [same] = [p for p in poses if np.allclose(
        np.array(p['keypoints']).reshape(17, 3)[np.array(raw[2::3]) > 0, :2],
        np.array(raw).reshape(17, 3)[np.array(raw[2::3]) > 0, :2], atol=1e-3)]
    assert same['category_id'] == 1 and len(same['keypoints']) == 51


def test_arguments_are_checked(root):
    with pytest.raises(ValueError, match='score_mode'):
        metric(root, score_mode='mean')
    with pytest.raises(ValueError, match='ann_file'):
        METRICS.build(dict(type='mmlth.CocoKeypointDetMetric', ann_file=None))
    with pytest.raises(KeyError, match='pose'):
        metric(root, metric=['pose'])


def visualizer(meta):
    register_all_modules()
    built = VISUALIZERS.build(dict(
        type='mmlth.KeypointDetLocalVisualizer', name=f'poses_{next(NUMBER)}'))
    built.dataset_meta = meta
    return built


def test_skeletons_are_drawn_on_both_halves(val, tmp_path):
    """Ground truth to the left, prediction to the right; sides of the body by colour."""
    posed = next(i for i in range(len(val))
                 if (val[i]['data_samples'].gt_instances.keypoints[..., 2] > 0).sum() > 10)
    sample = val[posed]['data_samples']
    samplelist_boxtype2tensor([sample])
    sample.pred_instances = InstanceData(
        bboxes=sample.gt_instances.bboxes, labels=sample.gt_instances.labels,
        scores=torch.ones(len(sample.gt_instances)), keypoints=sample.gt_instances.keypoints)
    image = np.zeros((*sample.ori_shape, 3), dtype=np.uint8)
    out = tmp_path / 'pose.png'
    visualizer(val.metainfo).add_datasample('image', image, sample, out_file=str(out))
    drawn = cv2.imread(str(out))[..., ::-1].astype(int)
    height, width = sample.ori_shape
    assert drawn.shape == (height, 2 * width, 3)
    for half in (drawn[:, :width], drawn[:, width:]):
        for color in ((0, 200, 0), (255, 128, 0)):
            assert (abs(half - color).max(-1) < 60).sum() > 20


@pytest.mark.parametrize('meta', [{}, dict(COCO_PERSON)])
def test_nothing_to_draw(meta, tmp_path):
    for size in (0, 1):
        sample = DetDataSample(pred_instances=InstanceData(
            bboxes=torch.ones(size, 4), labels=torch.zeros(size, dtype=torch.long),
            scores=torch.ones(size), keypoints=torch.zeros(size, 17, 3)))
        visualizer(meta).add_datasample(
            'image', np.zeros((40, 40, 3), dtype=np.uint8), sample,
            out_file=str(tmp_path / 'pose.png'))
