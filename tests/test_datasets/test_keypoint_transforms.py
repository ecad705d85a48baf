"""Keypoints through MMDetection's own transforms."""
import copy

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.utils import register_all_modules

from mmlth.datasets.keypoints import KeypointBoxes

HEIGHT, WIDTH = 60, 80
# Three keypoints: a nose, a left and a right eye.
FLIP = [0, 2, 1]
BOXES = [[10., 12., 40., 50.], [50., 5., 79., 30.]]
POINTS = [[[20.5, 20.5, 2.], [15.5, 18.5, 1.], [0., 0., 0.]],
          [[60.5, 10.5, 2.], [70.5, 12.5, 2.], [78.5, 29.5, 2.]]]


def run(*steps, crowd=(0, 0)):
    """The packed sample after loading, the given stock steps, and packing."""
    return pipeline(*steps)(source(crowd))['data_samples']


def pipeline(*steps):
    register_all_modules()
    return Compose([TRANSFORMS.build(step) for step in [
        dict(type='mmlth.LoadKeypointAnnotations'), *steps, dict(type='mmlth.PackKeypointInputs')]])


def source(crowd=(0, 0)):
    random = np.random.default_rng(0)
    return dict(
        img=random.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8), img_id=7,
        img_shape=(HEIGHT, WIDTH), ori_shape=(HEIGHT, WIDTH), flip_indices=FLIP,
        instances=[dict(bbox=box, bbox_label=0, ignore_flag=ignore, keypoints=np.array(points))
                   for box, points, ignore in zip(BOXES, POINTS, crowd)])


def expect(sample, points, boxes=None):
    found = sample.gt_instances
    torch.testing.assert_close(found.keypoints, torch.tensor(points), rtol=0, atol=1e-4)
    assert type(found.bboxes) is HorizontalBoxes and len(found.bboxes) == len(found.keypoints)
    if boxes is not None:
        torch.testing.assert_close(found.bboxes.tensor, torch.tensor(boxes))


FLIPPED = [[[59.5, 20.5, 2.], [0., 0., 0.], [64.5, 18.5, 1.]],
           [[19.5, 10.5, 2.], [1.5, 29.5, 2.], [9.5, 12.5, 2.]]]


def test_load_and_pack():
    expect(run(), POINTS, BOXES)


def test_resize_scales_points_as_boxes():
    sample = run(dict(type='Resize', scale=(160, 180), keep_ratio=False))
    expect(sample, [[[2 * x, 3 * y, v] for x, y, v in points] for points in POINTS],
           [[2 * x1, 3 * y1, 2 * x2, 3 * y2] for x1, y1, x2, y2 in BOXES])


def test_random_choice_resize_of_mmcv():
    sample = run(dict(type='RandomChoiceResize', scales=[(160, 120)], keep_ratio=True))
    expect(sample, [[[2 * x, 2 * y, v] for x, y, v in points] for points in POINTS])


def test_flip_swaps_left_and_right():
    expect(run(dict(type='RandomFlip', prob=1.)), FLIPPED,
           [[40., 12., 70., 50.], [1., 5., 30., 30.]])


def test_vertical_flip_is_a_mirror_and_diagonal_flip_a_half_turn():
    upside = [[[x, HEIGHT - y, v] if v else [0., 0., 0.] for x, y, v in
               (points[i] for i in FLIP)] for points in POINTS]
    expect(run(dict(type='RandomFlip', prob=1., direction='vertical')), upside)
    turned = [[[WIDTH - x, HEIGHT - y, v] if v else [0., 0., 0.] for x, y, v in points]
              for points in POINTS]
    expect(run(dict(type='RandomFlip', prob=1., direction='diagonal')), turned)


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_flip_twice_is_identity(direction):
    flip = dict(type='RandomFlip', prob=1., direction=direction)
    expect(run(flip, flip), POINTS, BOXES)


def crop(offset, size):
    """Crops ``size`` (w, h) at ``offset`` (x, y)."""
    steps = pipeline(dict(type='RandomCrop', crop_size=size), dict(type='Pad', size=(90, 90)))
    steps.transforms[1]._rand_offset = lambda margin: offset[::-1]
    return steps(source())['data_samples']


def test_crop_hides_what_it_cuts_off_and_padding_does_not_bring_it_back():
    sample = crop((18, 10), (45, 12))
    # The first person's eye lies left of the crop; of the second only the nose remains.
    expect(sample, [[[2.5, 10.5, 2.], [0., 0., 0.], [0., 0., 0.]],
                    [[42.5, 0.5, 2.], [0., 0., 0.], [0., 0., 0.]]],
           [[0., 2., 22., 12.], [32., 0., 45., 12.]])
    assert sample.img_shape == (90, 90)


def test_crop_drops_keypoints_with_their_box():
    expect(crop((45, 0), (35, 40)), [[[15.5, 10.5, 2.], [25.5, 12.5, 2.], [33.5, 29.5, 2.]]],
           [[5., 5., 34., 30.]])


BLACK = dict(prob=1., img_border_value=0)


@pytest.mark.parametrize('step', [
    dict(type='RandomAffine', max_rotate_degree=20, border_val=(0, 0, 0)),
    dict(type='Rotate', level=10, **BLACK), dict(type='ShearX', level=3, **BLACK),
    dict(type='TranslateY', level=3, **BLACK), dict(type='Expand', prob=1.),
    dict(type='MinIoURandomCrop', min_ious=(0.9, ), min_crop_size=0.8),
    dict(type='RandomShift', prob=1., max_shift_px=8),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1))], ids=lambda step: step['type'])
def test_other_stock_transforms_take_keypoints_along(step):
    """A mark painted at the nose is found where the nose is said to be."""
    np.random.seed(1)
    image = source()
    image['img'][:] = 0
    image['img'][19:22, 19:22] = 255
    packed = pipeline(step)(image)
    mass = packed['inputs'].float().sum(0)
    y, x = torch.meshgrid(*map(torch.arange, mass.shape), indexing='ij')
    middle = torch.stack([(mass * x).sum(), (mass * y).sum()]) / mass.sum() + 0.5
    nose = packed['data_samples'].gt_instances.keypoints[0, 0]
    assert nose[2] == 2
    assert (middle - nose[:2]).abs().max() < 1


def test_crowds_are_ignored():
    sample = run(crowd=(0, 1))
    assert len(sample.gt_instances) == len(sample.ignored_instances) == 1
    torch.testing.assert_close(sample.ignored_instances.keypoints[0], torch.tensor(POINTS[1]))


def test_image_without_persons():
    packed = pipeline(dict(type='Resize', scale=(40, 30)), dict(type='RandomFlip', prob=1.))(
        dict(source(), instances=[]))
    assert packed['data_samples'].gt_instances.keypoints.shape == (0, 3, 3)


def test_rebuilt_boxes_are_reported():
    with pytest.raises(ValueError, match='no keypoints on the boxes'):
        run(dict(type='RandomErasing', n_patches=1, ratio=0.1))


def test_stock_dataset_is_reported():
    results = source()
    del results['flip_indices']
    with pytest.raises(ValueError, match='CocoKeypointDetDataset'):
        pipeline()(results)


def boxes():
    return KeypointBoxes(torch.tensor(BOXES), torch.tensor(POINTS), FLIP)


@pytest.mark.parametrize('index', [
    1, slice(1, 2), [1], np.array([1]), np.array([False, True]), torch.tensor([1]),
    torch.tensor([False, True])])
def test_selecting_boxes_selects_their_keypoints(index):
    chosen = boxes()[index]
    assert chosen.tensor.tolist() == BOXES[1:] and chosen.keypoints.tolist() == POINTS[1:]


def test_copies_are_independent_and_joined_in_order():
    first = boxes()
    for other in (first.clone(), copy.deepcopy(first)):
        other.translate_((5, 7))
        other.clip_((20, 20))
        other.hide_outside_((1, 1))
    assert first.keypoints.tolist() == POINTS and first.tensor.tolist() == BOXES
    joined = KeypointBoxes.cat([first[1], first[0]])
    assert joined.keypoints.tolist() == POINTS[::-1]
    assert KeypointBoxes.cat([first, KeypointBoxes(torch.tensor(BOXES))]).keypoints is None


def test_rotation_is_clockwise_as_that_of_the_boxes():
    turned = KeypointBoxes(torch.tensor([[10., 10., 20., 10.]]), torch.tensor([[[20., 10., 2.]]]))
    turned.rotate_((10, 10), 90)
    torch.testing.assert_close(turned.tensor, torch.tensor([[10., 10., 10., 20.]]))
    torch.testing.assert_close(turned.keypoints, torch.tensor([[[10., 20., 2.]]]))


def test_number_of_keypoints_must_match():
    with pytest.raises(ValueError, match='2 boxes'):
        KeypointBoxes(torch.tensor(BOXES), torch.zeros(1, 3, 3))
