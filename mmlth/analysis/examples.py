"""A few images of the evaluation data with what is on them and what was predicted."""
import base64
import io
from typing import Any, Dict, Iterable, List, Optional

import numpy as np
from PIL import Image

from mmlth.core.errors import UserError
from mmlth.report.guard import Guard, reason_of

from .predictions import Predictions
from .truth import category_names, image_paths

IMAGES = 3          # that are kept
OBJECTS = 3         # that each has at least
_SIDE = 640         # pixels of the longer side that are kept
_LOWEST = 0.05      # score of the predictions that are kept


def keep_examples(predictions: Predictions, guard: Guard) -> List[Dict[str, Any]]:
    """The first images with at least :data:`OBJECTS` objects, with their predictions.

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
                       lambda image=image: _example(predictions, image, paths[image]))
             for image in choose(predictions.truth, paths)]
    return [example for example in found if example is not None]


def choose(truth, images: Iterable[Any]) -> List[Any]:
    """Ids of the first :data:`IMAGES` images with enough objects, else of those with most."""
    number = {image: sum(not o.get('iscrowd') for o in truth.imgToAnns.get(image, ()))
              for image in images}
    enough = [image for image, objects in number.items() if objects >= OBJECTS]
    return (enough if len(enough) >= IMAGES else
            sorted(number, key=number.get, reverse=True))[:IMAGES]


def _example(predictions: Predictions, image: Any, path: str) -> Dict[str, Any]:
    picture = read_picture(path, getattr(predictions.dataset, 'backend_args', None))
    width, height = picture.size
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', quality=85)
    truth = predictions.truth
    return dict(
        image_id=image, width=width, height=height, skeleton=predictions.skeleton,
        jpeg=base64.b64encode(buffer.getvalue()).decode('ascii'),
        truth=[_without(_object(truth, o), predictions) for o in truth.imgToAnns.get(image, ())
               if not o.get('iscrowd')],
        predictions=_predicted(predictions, image))


def read_picture(path: str, backend_args: Optional[dict] = None) -> Image.Image:
    """An image as the training reads it: 8 bits of red, green and blue, turned as EXIF says.

    Raises:
        UserError: It cannot be read so.
    """
    from mmcv import imread
    try:
        pixels = imread(path, channel_order='rgb', backend_args=backend_args)
    except Exception as error:
        raise UserError(f'the image {path} cannot be shown ({reason_of(error)})') from None
    if pixels is None:
        raise UserError(f'the image {path} cannot be shown: OpenCV does not read it')
    return Image.fromarray(pixels)


def _names(truth) -> Dict[Any, str]:
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


def _object(truth, found: Dict[str, Any]) -> Dict[str, Any]:
    kept: Dict[str, Any] = dict(category=_names(truth)[found['category_id']])
    if found.get('bbox'):
        kept['bbox'] = [round(float(v), 1) for v in found['bbox']]
    if 'score' in found:
        kept['score'] = round(float(found['score']), 3)
    if found.get('segmentation'):
        mask = truth.annToRLE(found)
        counts = mask['counts']
        kept['mask'] = dict(size=list(map(int, mask['size'])), counts=counts.decode('ascii')
                            if isinstance(counts, bytes) else counts)
    points = np.asarray(found.get('keypoints') or [], float)
    if points.any():
        kept['keypoints'] = [[round(float(v), 2) for v in point] for point in
                             points.reshape(-1, 3)]
    return kept
