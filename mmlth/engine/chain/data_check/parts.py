"""A built data set as what is in it: images, sizes, boxes, labels."""
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
from mmcv.transforms import LoadImageFromFile

from ...nested import is_dataset

# Whose loading steps decode an image as mmcv does.
_LIBRARIES = ('mmcv', 'mmdet', 'mmpose', 'mmpretrain')


@dataclass
class Entry:
    """One image, or in top-down pose one person.

    Args:
        path: Of the image.
        size: Width and height as annotated, in pixels; None if the annotation does not say.
        boxes: (N, 4), x1, y1, x2, y2 in pixels.
        labels: N indices of classes.
        ignored: N, whether a training leaves the box out.
    """
    path: str
    size: Optional[Tuple[int, int]]
    boxes: np.ndarray
    labels: List[int]
    ignored: List[bool]


def parts(dataset: Any) -> Iterator[Any]:
    """The data sets that a repeated, balanced, mixed or concatenated one is made of."""
    several = getattr(dataset, 'datasets', None)
    inner = [*(several if isinstance(several, (list, tuple)) else []),
             getattr(dataset, 'dataset', None)]
    found = [part for part in inner if is_dataset(part)]
    for part in found:
        yield from parts(part)
    if not found:
        yield dataset


def entries(dataset: Any, limit: Optional[int] = None) -> Iterator[Entry]:
    """What is in a data set of mmengine's kind, spread evenly if there is a ``limit``.

    Nothing of one that has no ``img_path``: a user's own, or one of another library.
    """
    if not hasattr(dataset, 'get_data_info'):
        return
    count = len(dataset)
    wanted = count if limit is None else min(limit, count)
    for i in range(wanted):
        info = dataset.get_data_info(i * count // wanted)
        if isinstance(info.get('img_path'), str):
            yield _entry(info)


def _entry(info: Dict[str, Any]) -> Entry:
    size = (info['width'], info['height']) if info.get('width') and info.get('height') else None
    if 'instances' in info:         # MMDetection
        kept = [i for i in info['instances'] if _is_upright(i.get('bbox'))]
        boxes = [i['bbox'] for i in kept]
        labels = [-1 if i.get('bbox_label') is None else int(i['bbox_label']) for i in kept]
        ignored = [bool(i.get('ignore_flag')) for i in kept]
    else:                           # MMPose has boxes, MMPretrain a label
        boxes = info['bbox'] if info.get('bbox') is not None else []
        label = info.get('gt_label')
        labels = [0] * len(boxes) if label is None else [int(v) for v in np.atleast_1d(label)]
        ignored = [False] * len(labels)
    return Entry(info['img_path'], size, np.asarray(boxes, float).reshape(-1, 4), labels, ignored)


def _is_upright(box: Any) -> bool:
    """Whether it is a box of four numbers: there is none, or it is turned, else."""
    return box is not None and len(box) == 4


def settings_of(dataset: Any) -> Optional[Dict[str, Any]]:
    """How its pipeline decodes images: the arguments of its ``LoadImageFromFile``.

    None where a step of the user's own loads them, which may read what no decoder knows, or where
    nothing tells.
    """
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    step = steps[0] if steps else None
    if not isinstance(step, LoadImageFromFile) or (
            type(step).transform.__module__.partition('.')[0] not in _LIBRARIES):
        return None
    return {name: getattr(step, name, None) or default for name, default in (
        ('color_type', 'color'), ('imdecode_backend', 'cv2'), ('backend_args', None),
        ('ignore_empty', False))}


def classes_of(dataset: Any) -> List[str]:
    """The names of the classes; none where the data set has no classes."""
    names = (getattr(dataset, 'metainfo', None) or {}).get('classes') or ()
    return [names] if isinstance(names, str) else list(names)
