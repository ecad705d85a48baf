"""The shared head of C4 detectors, of any width."""
from typing import Any, Mapping, Optional

from mmdet.models.backbones import ResNet
from mmdet.models.layers import ResLayer as Blocks
from mmdet.models.roi_heads.shared_heads import ResLayer
from mmengine.model import BaseModule

from mmlth.registry import MODELS


@MODELS.register_module()
class NarrowResLayer(ResLayer):
    """The stage of a ResNet behind RoIAlign; MMDetection's ``ResLayer`` has 64 base channels.

    Args:
        depth (int): Of the ResNet, as its ``depth``.
        base_channels (int): As the ResNet's. Stage ``s`` has ``base_channels * 2 ** s`` channels,
            times the expansion of its blocks.
        stage (int): From 0. Defaults to 3, which is ``layer4``, as its weights are named.
        stride (int): Defaults to 2.
        norm_cfg (dict, optional): Defaults to batch norm.
        norm_eval (bool): Whether batch norm keeps its statistics. Defaults to True.
        init_cfg (dict, optional): Defaults to Kaiming's for convolutions.
    """

    def __init__(self, depth: int, base_channels: int, stage: int = 3, stride: int = 2,
                 norm_cfg: Optional[Mapping[str, Any]] = None, norm_eval: bool = True,
                 init_cfg: Optional[Mapping[str, Any]] = None):
        # Not ResLayer's, which would make the wide blocks.
        BaseModule.__init__(self, init_cfg or [
            dict(type='Kaiming', layer='Conv2d'),
            dict(type='Constant', val=1, layer='_BatchNorm')])
        self.stage, self.norm_eval = stage, norm_eval
        block, counts = ResNet.arch_settings[depth]
        self.add_module(f'layer{stage + 1}', Blocks(
            block, base_channels * 2 ** (stage - 1) * block.expansion, base_channels * 2 ** stage,
            counts[stage], stride=stride, norm_cfg=norm_cfg or dict(type='BN')))
