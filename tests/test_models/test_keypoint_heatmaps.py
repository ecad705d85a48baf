"""Heat map bins and sub-pixel peaks against values worked out from the definition."""
import math

import cv2
import numpy as np
import pytest
import torch

from mmlth.models.heatmaps import decode_heatmaps, encode_keypoints, visible_inside

BOX = [10., 20., 66., 48.]      # 56 wide, 28 high: bins of 1 x 0.5 pixels


def encode(points, box=BOX, size=56):
    index, valid = encode_keypoints(torch.tensor([points]), torch.tensor([box]), size)
    assert index.dtype == torch.int64 and valid.dtype == torch.bool
    return index[0].tolist(), valid[0].tolist()


@pytest.mark.parametrize('point, row, column', [
    ((10., 20.), 0, 0),             # left and top belong to the first bin
    ((10.99, 20.49), 0, 0),
    ((11., 20.5), 1, 1),
    ((38., 34.), 28, 28),
    ((65.99, 47.99), 55, 55),
    ((66., 48.), 55, 55),           # right and bottom belong to the last
    ((66., 20.), 0, 55),
])
def test_bins(point, row, column):
    assert encode([[*point, 2.]]) == ([row * 56 + column], [True])


@pytest.mark.parametrize('point', [
    (9.99, 30., 2.), (66.01, 30., 2.), (20., 19.9, 2.), (20., 48.1, 2.),    # outside
    (20., 30., 0.), (0., 0., 0.)])                                          # invisible
def test_outside_or_invisible_has_no_weight(point):
    assert encode([list(point)]) == ([0], [False])


def test_occluded_but_labelled_counts():
    assert encode([[20., 30., 1.]])[1] == [True]


def test_box_without_area_does_no_harm():
    index, valid = encode([[10., 20., 2.], [11., 21., 2.]], box=[10., 20., 10., 20.], size=4)
    assert index == [15, 0] and valid == [True, False]


def test_no_boxes():
    index, valid = encode_keypoints(torch.zeros(0, 17, 3), torch.zeros(0, 4), 56)
    assert index.shape == valid.shape == (0, 17)
    assert visible_inside(torch.zeros(0, 17, 3), torch.zeros(0, 4)).shape == (0, )
    assert decode_heatmaps(torch.zeros(0, 17, 56, 56), torch.zeros(0, 4)).shape == (0, 17, 3)


def test_visible_inside_needs_one_visible_keypoint_in_the_box():
    keypoints = torch.tensor([
        [[20., 30., 2.], [0., 0., 0.]], [[20., 30., 0.], [0., 0., 0.]],
        [[5., 30., 2.], [0., 0., 0.]], [[66., 48., 1.], [0., 0., 0.]]])
    boxes = torch.tensor([BOX]).repeat(4, 1)
    assert visible_inside(keypoints, boxes).tolist() == [True, False, False, True]


def reference(logits, boxes):
    """The definition in numpy and OpenCV: resize, highest pixel, its centre."""
    found = np.zeros((*logits.shape[:2], 3))
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        width, height = max(x2 - x1, 1), max(y2 - y1, 1)
        size = math.ceil(width), math.ceil(height)
        for k, heatmap in enumerate(logits[i]):
            large = cv2.resize(heatmap, size, interpolation=cv2.INTER_CUBIC)
            y, x = np.unravel_index(large.argmax(), large.shape)
            found[i, k] = (
                x1 + (x + 0.5) * width / size[0], y1 + (y + 0.5) * height / size[1],
                np.exp(np.float64(large.max())) / np.exp(np.float64(heatmap)).sum())
    return found


def test_decoding_is_that_of_the_definition():
    """Boxes larger and smaller than the heat map, of uneven size, below one pixel."""
    random = np.random.default_rng(0)
    boxes = np.array([[3.2, 5.7, 120.4, 90.1], [0, 0, 56, 56], [10.5, 4, 30.25, 200.125],
                      [50, 60, 50.4, 60.9], [1, 1, 12, 300.01]], dtype=np.float32)
    noise = random.normal(size=(len(boxes), 5, 56, 56)).astype(np.float32)
    logits = np.stack([[cv2.GaussianBlur(m, (9, 9), 2) * 20 for m in maps] for maps in noise])
    found = decode_heatmaps(torch.from_numpy(logits), torch.from_numpy(boxes)).numpy()
    np.testing.assert_allclose(found, reference(logits, boxes), rtol=2e-4, atol=2e-4)


def test_peak_of_a_box_as_large_as_its_heatmap():
    logits = torch.zeros(1, 1, 56, 56)
    logits[0, 0, 7, 30] = 5.
    [[[x, y, score]]] = decode_heatmaps(logits, torch.tensor([[100., 200., 156., 256.]])).tolist()
    assert (x, y) == (130.5, 207.5)
    assert score == pytest.approx(math.exp(5) / (math.exp(5) + 56 * 56 - 1))


def test_width_of_the_box_is_not_rounded():
    logits = torch.zeros(1, 1, 4, 4)
    logits[0, 0, :, 3] = 9.     # a column: the last pixel of ceil(3.5) = 4
    [[[x, *_]]] = decode_heatmaps(logits, torch.tensor([[10., 0., 13.5, 4.]])).tolist()
    assert x == pytest.approx(10 + 3.5 * 3.5 / 4)


def test_a_bin_decodes_into_itself():
    """What is encoded and drawn as a sharp map is found again within half a bin."""
    points = torch.tensor([[[33.3, 41.9, 2.], [12., 21., 2.], [66., 48., 2.]]])
    boxes = torch.tensor([[10., 20., 66., 48.]])
    index, _ = encode_keypoints(points, boxes, 56)
    logits = torch.full((1, 3, 56 * 56), -10.)
    logits.scatter_(2, index[..., None], 10.)
    found = decode_heatmaps(logits.unflatten(2, (56, 56)), boxes)
    assert (found[..., :2] - points[..., :2]).abs().max() <= 1.


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_decoded_in_fp32(dtype):
    logits = torch.randn(2, 3, 56, 56).to(dtype)
    boxes = torch.tensor([[0., 0., 100.3, 90.], [300., 1000., 801., 1300.7]])
    found = decode_heatmaps(logits, boxes)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, decode_heatmaps(logits.float(), boxes))
