"""Multiply-adds of layers whose products are in MMCV's own operators, or of changed weights."""
import pytest
import torch
from mmcv.cnn.bricks import ConvAWS2d, ConvWS2d
from mmcv.ops import DeformConv2dPack, MaskedConv2d, ModulatedDeformConv2dPack

from mmlth.core.flops import multiply_adds


@pytest.mark.parametrize('kind', [ConvWS2d, ConvAWS2d, DeformConv2dPack,
                                  ModulatedDeformConv2dPack, MaskedConv2d])
def test_one_place_a_product(kind):
    conv = kind(4, 6, 3, stride=2, padding=1).eval()
    image = torch.randn(2, 4, 9, 7)
    found = multiply_adds(conv, lambda: conv(image))
    assert found.entries['weight'] == 2 * 5 * 4
    assert found.total == sum(count * dict(conv.named_parameters())[name].numel()
                              for name, count in found.entries.items())
