"""The model that steps and tickets are measured on."""
from torch import nn

MASK_RCNN = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'


def detector(quick: bool) -> nn.Module:
    """Mask R-CNN R50-FPN (44 M parameters, random), or a few convolutions."""
    if quick:
        return nn.Sequential(*[nn.Conv2d(64, 64, 3) for _ in range(4)])
    from mmlth.engine.config import load_config     # mmdet takes seconds to import
    from mmlth.engine.preview import build_model
    return build_model(load_config(MASK_RCNN))
