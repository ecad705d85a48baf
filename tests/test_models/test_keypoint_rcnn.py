"""Keypoint R-CNN: the head, its loss, and the whole detector on made-up images."""
import math

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.structures import InstanceData
from small_keypoint_rcnn import small

from mmlth.models import KeypointRCNNHead
from mmlth.models.heatmaps import decode_heatmaps


def head(**kwargs):
    register_all_modules()
    torch.manual_seed(0)
    built = KeypointRCNNHead(**dict(
        dict(num_keypoints=3, num_convs=2, in_channels=4, conv_out_channels=6), **kwargs))
    built.init_weights()
    return built


def test_default_head_is_that_of_the_paper():
    built = KeypointRCNNHead()
    assert [tuple(conv.conv.weight.shape) for conv in built.convs] == [
        (512, 256, 3, 3)] + [(512, 512, 3, 3)] * 7
    assert all(conv.with_activation and not conv.with_norm for conv in built.convs)
    assert sum(p.numel() for p in built.parameters()) == 17_838_097


@pytest.mark.parametrize('regions', [0, 1, 3])
def test_heatmaps_are_four_times_the_features(regions):
    assert head()(torch.randn(regions, 4, 14, 14)).shape == (regions, 3, 56, 56)


def test_deconvolution_starts_like_the_convolutions():
    built = head(conv_out_channels=64, num_keypoints=17)
    assert not built.deconv.bias.any()
    # Detectron's rule counts the fan out on the first axis: 64 * 16 weights.
    assert built.deconv.weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 16)), rel=0.05)


def test_loss_by_hand():
    """Two keypoints count, one is invisible, one outside; each bin of 2x2 has its logit."""
    logits = torch.tensor([[[[1., 2.], [3., 4.]], [[0., 0.], [0., 0.]], [[9., 0.], [0., 0.]],
                            [[9., 0.], [0., 0.]]]])
    keypoints = torch.tensor([[[15., 5., 2.], [5., 15., 1.], [5., 5., 0.], [25., 5., 2.]]])
    loss = head().loss(logits, keypoints, torch.tensor([[0., 0., 20., 20.]]))['loss_keypoint']
    first = math.log(sum(math.exp(x) for x in (1, 2, 3, 4))) - 2    # row 0, column 1
    second = math.log(4)
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-5)


def test_loss_is_the_mean_over_visible_keypoints_of_all_regions():
    random = np.random.default_rng(0)
    logits = random.normal(size=(3, 2, 8, 8))
    boxes = np.array([[0, 0, 40, 60], [10, 10, 33, 47.5], [5, 7, 9, 90]], dtype=float)
    part = random.uniform(0, 1, (3, 2, 2))
    xy = boxes[:, None, :2] + part * (boxes[:, None, 2:] - boxes[:, None, :2])
    v = np.array([[2, 1], [0, 2], [0, 0]])
    terms = []
    for i, k in zip(*np.nonzero(v)):
        column, row = (part[i, k] * 8).astype(int)
        odds = np.exp(logits[i, k])
        terms.append(-np.log(odds[row, column] / odds.sum()))
    keypoints = torch.from_numpy(np.concatenate([xy, v[..., None]], -1)).float()
    loss = head().loss(torch.from_numpy(logits).float(), keypoints,
                       torch.from_numpy(boxes).float())['loss_keypoint']
    assert loss.item() == pytest.approx(np.mean(terms), rel=1e-5)


@pytest.mark.parametrize('regions', [0, 2])
def test_loss_without_keypoints_is_zero_and_reaches_all_weights(regions):
    built = head()
    logits = built(torch.randn(regions, 4, 14, 14))
    boxes = torch.tensor([[0., 0., 10., 10.]]).repeat(regions, 1)
    loss = built.loss(logits, torch.zeros(regions, 3, 3), boxes)['loss_keypoint']
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in built.parameters())


def test_mixed_precision():
    built = head()
    keypoints, boxes = torch.tensor([[[3., 4., 2.]] * 3]), torch.tensor([[0., 0., 56., 56.]])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        logits = built(torch.randn(1, 4, 14, 14))
        loss = built.loss(logits, keypoints, boxes)['loss_keypoint']
        found = decode_heatmaps(logits.detach(), boxes)
    assert logits.dtype == torch.bfloat16
    assert loss.dtype == found.dtype == torch.float32
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in built.parameters())


def test_prediction_is_brought_back_to_the_original_image():
    results = [InstanceData(bboxes=torch.tensor([[20., 30., 80., 120.]])),
               InstanceData(bboxes=torch.zeros(0, 4))]
    metas = [dict(scale_factor=(2., 3.)), dict(scale_factor=(1., 1.))]
    logits = [torch.randn(1, 3, 56, 56), torch.zeros(0, 3, 56, 56)]
    inside = decode_heatmaps(logits[0], results[0].bboxes)
    built = head()
    kept = built.predict_by_feat(logits, [r.clone() for r in results], metas)
    back = built.predict_by_feat(logits, [r.clone() for r in results], metas, rescale=True)
    torch.testing.assert_close(kept[0].keypoints, inside)
    torch.testing.assert_close(back[0].keypoints, inside / torch.tensor([2., 3., 1.]))
    assert back[1].keypoints.shape == (0, 3, 3)


META = dict(img_shape=(128, 160), pad_shape=(128, 160), batch_input_shape=(128, 160),
            ori_shape=(64, 80), scale_factor=(2., 2.), img_id=0)


def detector(**roi_head):
    register_all_modules()
    model = small().model
    model.roi_head.update(roi_head)
    model.test_cfg.rcnn.score_thr = 0.
    torch.manual_seed(0)
    built = MODELS.build(model)
    built.init_weights()
    return built


def sample(persons, visible=2.):
    """One image with so many persons, their keypoints spread over their boxes."""
    boxes = torch.tensor([[20., 20., 80., 110.], [90., 10., 150., 120.]])[:persons]
    spread = torch.linspace(0.1, 0.9, 17)[:, None].expand(17, 2)
    xy = boxes[:, None, :2] + spread * (boxes[:, None, 2:] - boxes[:, None, :2])
    keypoints = torch.cat([xy, torch.full((persons, 17, 1), visible)], -1)
    data = DetDataSample(metainfo=META)
    data.gt_instances = InstanceData(
        bboxes=boxes, labels=torch.zeros(persons, dtype=torch.long), keypoints=keypoints)
    data.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    return data


def batch(*samples):
    generator = torch.Generator().manual_seed(0)
    return dict(inputs=[torch.randint(0, 256, (3, 128, 160), dtype=torch.uint8,
                                      generator=generator) for _ in samples],
                data_samples=list(samples))


def train(model, *samples):
    losses = model(**model.data_preprocessor(batch(*samples), True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    return losses


def all_weights_have_gradients(model):
    return all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_training_step():
    model = detector().train()
    losses = train(model, sample(2), sample(1))
    # Nothing is known yet: every one of the 56 * 56 positions is about as likely.
    assert losses['loss_keypoint'].item() == pytest.approx(math.log(56 * 56), rel=0.2)
    assert all_weights_have_gradients(model)
    assert model.roi_head.keypoint_head.deconv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('samples', [
    (sample(0), ), (sample(0), sample(0)), (sample(1, visible=0.), ), (sample(0), sample(2, 0.))],
    ids=['empty', 'both empty', 'unlabelled', 'empty and unlabelled'])
def test_nothing_to_learn_for_keypoints(samples):
    model = detector().train()
    losses = train(model, *samples)
    assert losses['loss_keypoint'].item() == 0
    assert all_weights_have_gradients(model)
    assert not model.roi_head.keypoint_head.deconv.weight.grad.any()


def test_image_without_persons_beside_one_with():
    model = detector().train()
    assert train(model, sample(0), sample(1))['loss_keypoint'].item() > 0


def test_only_proposals_with_a_visible_keypoint_are_looked_at():
    model = detector().train()
    seen = []
    model.roi_head.keypoint_head.register_forward_hook(
        lambda module, inputs, output: seen.append(len(inputs[0])))
    half = sample(2)
    half.gt_instances.keypoints[1, :, 2] = 0
    train(model, sample(2))
    train(model, half)
    assert seen[0] > seen[1] > 0


def test_missing_keypoints_are_reported():
    bare = sample(1)
    del bare.gt_instances.keypoints
    with pytest.raises(ValueError, match='mmlth.PackKeypointInputs'):
        train(detector().train(), bare)


def predict(model, *samples, **kwargs):
    model.eval()
    with torch.no_grad():
        data = model.data_preprocessor(batch(*samples), False)
        found = model.predict(data['inputs'], data['data_samples'], **kwargs)
    return [result.pred_instances for result in found]


def test_prediction_has_keypoints_in_their_boxes():
    model = detector()
    [found, _] = predict(model, sample(1), sample(0))
    assert 0 < len(found) <= 10
    assert found.keypoints.shape == (len(found), 17, 3)
    xy, boxes = found.keypoints[..., :2], found.bboxes[:, None]
    # Boxes narrower than a pixel count as one pixel.
    assert (xy >= boxes[..., :2]).all() and (xy <= boxes[..., 2:] + 0.5).all()
    assert found.bboxes[:, 2].max() <= 80 and found.bboxes[:, 3].max() <= 64
    [large, _] = predict(model, sample(1), sample(0), rescale=False)
    torch.testing.assert_close(large.bboxes, found.bboxes * 2)
    torch.testing.assert_close(xy, large.keypoints[..., :2] / 2)


def test_no_detections():
    model = detector()
    model.roi_head.test_cfg.score_thr = 1.1
    for found in predict(model, sample(1), sample(1)):
        assert found.keypoints.shape == (0, 17, 3) and found.bboxes.shape == (0, 4)


def test_tensor_mode():
    model = detector().eval()
    data = model.data_preprocessor(batch(sample(1)), False)
    [(cls, boxes, heatmaps)] = model(**data, mode='tensor')
    assert len(cls) == len(boxes) == len(heatmaps) <= 100
    assert heatmaps.shape[1:] == (17, 56, 56)


def test_mask_branch_beside_the_keypoint_branch():
    """Keypoints do not change what MMDetection's mask branch needs and gives."""
    from mmdet.structures.mask import BitmapMasks
    extractor = dict(
        type='SingleRoIExtractor', out_channels=16, featmap_strides=[4, 8, 16, 32],
        roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=0))
    model = detector(
        mask_roi_extractor=extractor,
        mask_head=dict(type='FCNMaskHead', num_convs=1, in_channels=16, conv_out_channels=8,
                       num_classes=1, loss_mask=dict(type='CrossEntropyLoss', use_mask=True)))
    model.roi_head.train_cfg.mask_size = 28
    model.roi_head.test_cfg.mask_thr_binary = 0.5
    person = sample(1)
    person.gt_instances.masks = BitmapMasks(np.ones((1, 128, 160), dtype=np.uint8), 128, 160)
    losses = train(model.train(), person)
    assert losses['loss_mask'] > 0 and losses['loss_keypoint'] > 0
    [found] = predict(model, sample(1))
    assert found.masks.shape == (len(found), 64, 80)
    xy, boxes = found.keypoints[..., :2], found.bboxes[:, None]
    assert (xy >= boxes[..., :2]).all() and (xy <= boxes[..., 2:] + 0.5).all()
