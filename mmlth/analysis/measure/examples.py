"""A few images of the evaluation data with what is on them and what was predicted."""
from functools import partial
from typing import Any, Dict, Iterable, List

import numpy as np
from pycocotools.coco import COCO

from mmlth.engine.chain.samples import choose
from mmlth.report.guard import Guard
from mmlth.report.picture import encode_mask, keep_photo

from .predictions import Predictions
from .truth import category_names, image_paths

_LOWEST = 0.05      # score of the predictions that are kept


def keep_examples(predictions: Predictions, guard: Guard) -> List[Dict[str, Any]]:
    """The first images with at least three objects, with their predictions.

    Args:
        predictions: Of one network.
        guard: Notes which images cannot be shown.

    Returns:
        list[dict]: ``image_id``, ``width`` and ``height`` of the original, ``jpeg`` (base64,
        at most 640 pixels wide and high), ``skeleton``, and ``truth`` and ``predictions``:
        objects with ``category``, ``bbox`` (x, y, width, height in pixels of the original)
        and, where there are any, ``score``, ``mask`` (COCO's run lengths) and ``keypoints``
        (K triples x, y, visibility or score).
    """
    paths = image_paths(predictions.dataset)
    found = [guard.run(f'sample image {image}',
                       partial(_example, predictions, image, paths[image]))
             for image in choose(_objects(predictions.truth, paths))]
    return [example for example in found if example is not None]


def _objects(truth: COCO, images: Iterable[Any]) -> Dict[Any, int]:
    return {image: sum(not o.get('iscrowd') for o in truth.imgToAnns.get(image, ()))
            for image in images}


def _example(predictions: Predictions, image: Any, path: str) -> Dict[str, Any]:
    truth = predictions.truth
    return dict(
        keep_photo(path, getattr(predictions.dataset, 'backend_args', None)), image_id=image,
        skeleton=predictions.skeleton,
        truth=[_without(_object(truth, o), predictions) for o in truth.imgToAnns.get(image, ())
               if not o.get('iscrowd')],
        predictions=_predicted(predictions, image))


def _names(truth: COCO) -> Dict[Any, str]:
    return category_names(truth.cats.values())


def _without(found: Dict[str, Any], predictions: Predictions) -> Dict[str, Any]:
    """Without the mask and the keypoints that the network is not there to find."""
    kinds = dict(mask='segm', keypoints='keypoints')
    return {key: value for key, value in found.items()
            if kinds.get(key, key) in predictions.results or key not in kinds}


def _predicted(predictions: Predictions, image: Any) -> List[Dict[str, Any]]:
    """Predicted objects, each with its box, mask and keypoints if there are any.

    The files of one metric list the same objects in the same order.
    """
    kinds = [[r for r in results if r['image_id'] == image]
             for results in predictions.results.values()]
    if len({len(found) for found in kinds}) > 1:
        kinds = kinds[-1:]
    merged = [{key: value for part in reversed(parts) for key, value in part.items()}
              for parts in zip(*kinds)]
    return [_object(predictions.truth, o) for o in merged if o['score'] >= _LOWEST]


def _object(truth: COCO, found: Dict[str, Any]) -> Dict[str, Any]:
    kept: Dict[str, Any] = dict(category=_names(truth)[found['category_id']])
    if found.get('bbox'):
        kept['bbox'] = [round(float(v), 1) for v in found['bbox']]
    if 'score' in found:
        kept['score'] = round(float(found['score']), 3)
    if found.get('segmentation'):
        kept['mask'] = encode_mask(truth.annToRLE(found))
    points = np.asarray(found.get('keypoints') or [], float)
    if points.any():
        kept['keypoints'] = [[round(float(v), 2) for v in point] for point in
                             points.reshape(-1, 3)]
    return kept
