"""The shared head of any width, against MMDetection's of 64 channels."""
import pytest
import torch
from mmdet.models.roi_heads.shared_heads import ResLayer

from mmlth.models import NarrowResLayer


@pytest.mark.parametrize('depth', [18, 50])
def test_of_64_channels_it_is_mmdetections(depth):
    ours, theirs = NarrowResLayer(depth, base_channels=64), ResLayer(depth)
    ours.load_state_dict(theirs.state_dict())
    for layer in (ours, theirs):
        layer.train()
    images = torch.randn(2, 256 if depth == 18 else 1024, 7, 7)
    assert torch.equal(ours(images), theirs(images))


def test_narrow():
    layer = NarrowResLayer(18, base_channels=16, norm_eval=False)
    layer.init_weights()
    assert layer(torch.randn(2, 64, 7, 7)).shape == (2, 128, 4, 4)
    layer.train()
    assert layer.layer4[0].bn1.training


def test_batch_norm_keeps_its_statistics_unless_told():
    layer = NarrowResLayer(18, base_channels=16)
    layer.train()
    assert not layer.layer4[0].bn1.training
