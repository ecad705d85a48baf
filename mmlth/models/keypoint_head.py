"""The branch of Keypoint R-CNN that draws one heat map per keypoint."""
from typing import Dict, List, Optional, Sequence

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmdet.registry import MODELS as MMDET_MODELS
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmlth.registry import MODELS

from .heatmaps import decode_heatmaps, encode_keypoints


@MODELS.register_module()
class KeypointRCNNHead(BaseModule):
    """Convolutions, one deconvolution, bilinear x2: 14x14 features to 56x56 heat maps.

    Mask R-CNN (He et al., ICCV 2017, section 5) in the form of Detectron and Detectron2:
    the deconvolution has one output channel per keypoint, so it is the predictor.

    Args:
        num_keypoints (int): Heat maps per region. Defaults to 17, COCO's.
        num_convs (int): 3x3 convolutions, each with a ReLU. Defaults to 8.
        in_channels (int): Of the region's features. Defaults to 256.
        conv_out_channels (int): Of the convolutions. Defaults to 512.
        conv_cfg (dict, optional): Kind of the convolutions. Defaults to None, plain.
        norm_cfg (dict, optional): Norm after each of them. Defaults to None.
        loss_keypoint (dict): Softmax loss over the positions of a heat map, averaged
            over the visible keypoints of the batch.
        init_cfg (dict): Of the deconvolution; the default is Detectron's, normal by the
            fan out.
    """

    def __init__(self,
                 num_keypoints: int = 17,
                 num_convs: int = 8,
                 in_channels: int = 256,
                 conv_out_channels: int = 512,
                 conv_cfg: Optional[dict] = None,
                 norm_cfg: Optional[dict] = None,
                 loss_keypoint: dict = dict(
                     type='mmdet.CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
                 init_cfg: Optional[dict] = dict(type='Kaiming', layer='ConvTranspose2d')):
        super().__init__(init_cfg=init_cfg)
        self.num_keypoints = num_keypoints
        channels = [in_channels] + [conv_out_channels] * num_convs
        self.convs = nn.ModuleList(
            ConvModule(before, after, 3, padding=1, conv_cfg=conv_cfg, norm_cfg=norm_cfg)
            for before, after in zip(channels, channels[1:]))
        self.deconv = nn.ConvTranspose2d(channels[-1], num_keypoints, 4, stride=2, padding=1)
        self.loss_keypoint = MMDET_MODELS.build(loss_keypoint)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_keypoints, 4H, 4W) of region features (N, in_channels, H, W)."""
        for conv in self.convs:
            x = conv(x)
        return F.interpolate(
            self.deconv(x), scale_factor=2, mode='bilinear', align_corners=False)

    def loss(self, logits: Tensor, keypoints: Tensor, boxes: Tensor) -> Dict[str, Tensor]:
        """The softmax loss over positions.

        Args:
            logits: (N, K, S, S) of N regions; N may be 0.
            keypoints: (N, K, 3) as (x, y, v): what each region should find, in pixels.
            boxes: (N, 4), the regions, in pixels.

        Returns:
            dict: ``loss_keypoint``, a scalar. Without any keypoint to learn from it is 0
            and still depends on all weights, for which DistributedDataParallel waits.
        """
        targets, valid = encode_keypoints(keypoints, boxes, logits.shape[-1])
        if not valid.any():
            return dict(loss_keypoint=logits.float().sum() * 0)
        # fp32: a softmax over 3136 positions is too long a sum for half precision.
        positions = logits.float().flatten(2)[valid]
        return dict(loss_keypoint=self.loss_keypoint(positions, targets[valid]))

    def predict_by_feat(self, logits: Sequence[Tensor], results_list: List[InstanceData],
                        batch_img_metas: List[dict], rescale: bool = False
                        ) -> List[InstanceData]:
        """Add ``keypoints`` (n, K, 3) as (x, y, score) to the results of each image.

        Args:
            logits: Of each image, (n, K, S, S).
            results_list: With ``bboxes`` (n, 4) in pixels of the network's input.
            batch_img_metas: With ``scale_factor`` (w, h).
            rescale: Keypoints in pixels of the original image. Defaults to False.
        """
        for heatmaps, results, meta in zip(logits, results_list, batch_img_metas):
            keypoints = decode_heatmaps(heatmaps, results.bboxes)
            if rescale:
                keypoints[..., :2] /= keypoints.new_tensor(meta['scale_factor'])
            results.keypoints = keypoints
        return results_list
