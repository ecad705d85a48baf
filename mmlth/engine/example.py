"""One image as a config's model takes it, for what runs a model without a dataset."""
import copy
import logging
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.logging import print_log
from mmengine.registry import TRANSFORMS

from mmlth.core.errors import UserError, check_count

from .default_scope import use_scope
from .types import bases_of, name_of


def example(cfg: Config, image: Optional[str] = None,
            shape: Optional[Tuple[int, int]] = None) -> Dict[str, Any]:
    """A batch of one image for ``model.test_step``.

    Args:
        cfg: A detector's or pose model's; its test pipeline is run.
        image: A file. Default: None, noise.
        shape: Height and width of the network's input, which the image is resized to; a warning
            tells where the pipeline makes another. Default: None, as the pipeline has it; noise
            is 800 by 1333 then.

    Raises:
        UserError: The shape is none, the config has no test pipeline, it asks for more than an
            image, or there is no such image.
    """
    for length in shape or ():
        check_count('shape', length)
    scope = use_scope(cfg)
    pipeline = [copy.deepcopy(step) for step in _pipeline(cfg)
                if not _wants_annotations(step, scope)]
    if shape is not None:
        _resize(pipeline, shape, scope)
    pose = any(base.__name__ == 'PackPoseInputs' for step in pipeline
               for base in bases_of(TRANSFORMS, step, scope))
    if image is None:
        height, width = shape or (800, 1333)
        data: Dict[str, Any] = dict(
            img=np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
        if not pose:    # MMPose's loading step takes either
            pipeline[0] = dict(type='mmdet.LoadImageFromNDArray')
    else:
        data = dict(img_path=str(image))
        height, width = _size(image)
    if pose:
        from mmpose.apis.inference import dataset_meta_from_config
        data.update(dataset_meta_from_config(cfg, 'test') or {}, bbox_score=np.ones(1, 'f4'),
                    bbox=np.array([[0, 0, width, height]], 'f4'))
    data.setdefault('img_id', 0)
    try:
        batch = pseudo_collate([Compose(pipeline)(data)])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"the config's test pipeline asks for more than an image: {error!r}"
                        ) from error
    if shape is not None:
        _tell_other_shape(batch['inputs'][0], shape)
    return batch


def _pipeline(cfg: Config) -> List[Dict[str, Any]]:
    node = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while node.get('pipeline') is None and isinstance(node.get('dataset'), Mapping):
        node = node['dataset']      # a wrapper of datasets
    if not node.get('pipeline'):
        raise UserError('the config has no test_dataloader.dataset.pipeline to prepare an image')
    return node['pipeline']


def _wants_annotations(step: Mapping[str, Any], scope: Optional[str]) -> bool:
    """Whether a step loads or filters annotations, which many test pipelines do: there are none."""
    from mmcv.transforms import LoadAnnotations
    return name_of(step['type']) == 'FilterAnnotations' or (
        LoadAnnotations in bases_of(TRANSFORMS, step, scope))


def _size(image: str) -> Tuple[int, int]:
    """Height and width of an image file."""
    import mmcv
    try:
        found = mmcv.imread(str(image))
    except (OSError, ValueError) as error:
        raise UserError(f'the image {image} cannot be read: {error}') from None
    if found is None:
        raise UserError(f'{image} cannot be decoded: it is no image, or it is damaged')
    return found.shape[:2]


def _resize(pipeline: List[Dict[str, Any]], shape: Tuple[int, int],
            scope: Optional[str]) -> None:
    """Let the pipeline resize to exactly this height and width, without padding."""
    for step in pipeline:
        kinds = {base.__name__ for base in bases_of(TRANSFORMS, step, scope)}
        if 'Resize' in kinds:
            step.pop('scale_factor', None)
            step['scale'], step['keep_ratio'] = tuple(reversed(shape)), False
        if 'Pad' in kinds and (step.get('size') is not None or step.pop('pad_to_square', False)):
            step['size'] = tuple(reversed(shape))


def _tell_other_shape(image: Any, shape: Tuple[int, int]) -> None:
    """Warn where a pipeline makes inputs of a size of its own, as that of a top-down pose does."""
    found = tuple(getattr(image, 'shape', ()))[-2:]
    if found != tuple(shape):
        print_log(f"the network's input is {' x '.join(map(str, found))} (height x width): the "
                  f'test pipeline has it so, whatever is asked for ({shape[0]} x {shape[1]}). '
                  'Change the size there.', logger='current', level=logging.WARNING)
