"""One image as a config's model takes it, for what runs a model without a dataset."""
import copy
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import TRANSFORMS

from mmlth.core.errors import UserError

from .default_scope import use_scope
from .types import bases_of, name_of


def example(cfg: Config, image: Optional[str] = None,
            shape: Optional[Tuple[int, int]] = None) -> Dict[str, Any]:
    """A batch of one image for ``model.test_step``.

    Args:
        cfg: A detector's or pose model's; its test pipeline is run.
        image: A file. Default: None, noise.
        shape: Height and width of the network's input, which the image is resized to.
            Default: None, as the pipeline has it; noise is 800 by 1333 then.

    Raises:
        UserError: The config has no test pipeline, or it asks for more than an image.
    """
    scope = use_scope(cfg)
    pipeline = [copy.deepcopy(step) for step in _pipeline(cfg)
                if not _wants_annotations(step, scope)]
    if shape is not None:
        _resize(pipeline, shape)
    pose = any(base.__name__ == 'PackPoseInputs' for step in pipeline
               for base in bases_of(TRANSFORMS, step, scope))
    if image is None:
        height, width = shape or (800, 1333)
        data = dict(img=np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
        if not pose:    # MMPose's loading step takes either
            pipeline[0] = dict(type='mmdet.LoadImageFromNDArray')
    else:
        import mmcv
        data = dict(img_path=str(image))
        height, width = mmcv.imread(str(image)).shape[:2]
    if pose:
        from mmpose.apis.inference import dataset_meta_from_config
        data.update(dataset_meta_from_config(cfg, 'test') or {}, bbox_score=np.ones(1, 'f4'),
                    bbox=np.array([[0, 0, width, height]], 'f4'))
    data.setdefault('img_id', 0)
    try:
        return pseudo_collate([Compose(pipeline)(data)])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"the config's test pipeline asks for more than an image: {error!r}"
                        ) from error


def _pipeline(cfg: Config):
    node = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while node.get('pipeline') is None and node.get('dataset') is not None:
        node = node['dataset']      # a wrapper of datasets
    if not node.get('pipeline'):
        raise UserError('the config has no test_dataloader.dataset.pipeline to prepare an image')
    return node['pipeline']


def _wants_annotations(step: Mapping[str, Any], scope: Optional[str]) -> bool:
    """Whether a step loads or filters annotations, which many test pipelines do: there are none."""
    from mmcv.transforms import LoadAnnotations
    return name_of(step['type']) == 'FilterAnnotations' or (
        LoadAnnotations in bases_of(TRANSFORMS, step, scope))


def _resize(pipeline, shape: Tuple[int, int]) -> None:
    """Let the pipeline resize to exactly this height and width, without padding."""
    for step in pipeline:
        if name_of(step['type']) == 'Resize':
            step.pop('scale_factor', None)
            step['scale'], step['keep_ratio'] = tuple(reversed(shape)), False
        if name_of(step['type']) == 'Pad' and step.get('size') is not None:
            step['size'] = tuple(reversed(shape))
