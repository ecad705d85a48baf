"""Models that answer with the ground truth, but for the categories they are blind to."""
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import nn

from mmlth.datasets.keypoints import CocoKeypointDetDataset

KEYPOINTS = dict(keypoint_names=('top', 'left', 'bottom', 'right'),
                 skeleton=(('top', 'left'), ('left', 'bottom')), sigmas=(.05, ) * 4)


@MODELS.register_module(force=True)
class Oracle(BaseModel):
    """A detector that is always right.

    Args:
        blind: Labels of categories that it does not find. Default: none.
    """

    def __init__(self, blind=()):
        super().__init__(data_preprocessor=dict(type='mmdet.DetDataPreprocessor'))
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.blind = list(blind)

    def forward(self, inputs, data_samples, mode='tensor'):
        self.conv(inputs)
        for sample in data_samples:
            truth = sample.gt_instances
            seen = torch.tensor([int(label) not in self.blind for label in truth.labels],
                                dtype=torch.bool)
            found = dict(bboxes=truth.bboxes.tensor if hasattr(truth.bboxes, 'tensor')
                         else truth.bboxes, labels=truth.labels,
                         scores=torch.ones(len(truth.labels)))
            if 'keypoints' in truth:
                found['keypoints'] = torch.as_tensor(truth.keypoints)
            if isinstance(truth.get('masks'), BitmapMasks):
                found['masks'] = torch.as_tensor(truth.masks.masks).bool()
            sample.pred_instances = InstanceData(**found)[seen]
        return data_samples


@MODELS.register_module(force=True)
class PoseOracle(BaseModel):
    """The same for MMPose's persons, whose boxes are given."""

    def __init__(self):
        super().__init__(data_preprocessor=dict(type='mmpose.PoseDataPreprocessor'))
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, inputs, data_samples, mode='tensor'):
        self.conv(inputs)
        for sample in data_samples:
            points = torch.tensor(sample.raw_ann_info['keypoints']).view(1, 17, 3).double()
            sample.pred_instances = InstanceData(
                keypoints=points[..., :2].numpy(), keypoint_scores=points[..., 2].numpy(),
                bboxes=sample.gt_instances.bboxes)
        return data_samples


def use_oracle(cfg, blind=()):
    """Let it take the place of the model."""
    cfg.pop('model')
    cfg.model = dict(type='mmengine.Oracle', blind=list(blind))
    return cfg


def use_masks(cfg):
    """Let the config evaluate masks too."""
    cfg.val_dataloader.dataset.pipeline[2] = dict(
        type='LoadAnnotations', with_bbox=True, with_mask=True)
    cfg.val_evaluator.metric = ['bbox', 'segm']
    return cfg


def use_keypoints(cfg):
    """Let the config evaluate the digits' keypoints too."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.type = 'mmlth.CocoKeypointDetDataset'
        loader.dataset.metainfo.update(KEYPOINTS, flip_pairs=())
    pipeline = cfg.val_dataloader.dataset.pipeline
    pipeline[2] = dict(type='mmlth.LoadKeypointAnnotations', with_bbox=True)
    pipeline[3].type = 'mmlth.PackKeypointInputs'
    cfg.val_evaluator.update(type='mmlth.CocoKeypointDetMetric', metric=['bbox', 'keypoints'])
    assert CocoKeypointDetDataset.METAINFO      # it is registered
    return cfg


def save(path, model=None):
    """Weights of the oracle, as a checkpoint."""
    torch.save(dict(state_dict=(model or Oracle()).state_dict(), meta={}), path)
    return path
