"""Write composed scenes as COCO and VOC files, and their digits as folders of crops."""
import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, Iterable, List, Sequence
from xml.etree import ElementTree

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from mmlth.datasets.digits_scene import PlacedDigit, Scene

CLASSES = tuple('0123456789')
KEYPOINTS = ('top', 'left', 'bottom', 'right')
VOC_SPLIT = dict(train='trainval', val='test')  # mmdet's VOC configs use these


def write_split(tree: Path, split: str, scenes: Iterable[Scene], first_id: int) -> None:
    """Write one split.

    Args:
        tree (Path): Root of the data set; folders are made as needed.
        split (str): 'train' or 'val'.
        scenes (Iterable): Results of :func:`mmlth.datasets.digits_scene.compose`.
        first_id (int): Id of the first picture; file names must not repeat, because
            VOC keeps the pictures of all splits in one folder.
    """
    voc = tree / 'VOC2007'
    for folder in (tree / split, tree / 'annotations', voc / 'JPEGImages', voc / 'Annotations',
                   voc / 'ImageSets' / 'Main'):
        folder.mkdir(parents=True, exist_ok=True)
    crops = tree / 'crops' / split
    for name in CLASSES:  # an empty one too: a class is the place of its folder in the list
        (crops / name).mkdir(parents=True, exist_ok=True)
    images, names = [], []
    annotations: List[dict] = []
    for image_id, (image, digits) in enumerate(scenes, first_id):
        name = f'{image_id:06d}'
        _write_image(tree / split / f'{name}.jpg', voc / 'JPEGImages' / f'{name}.jpg', image)
        _write_voc(voc / 'Annotations' / f'{name}.xml', image, digits)
        height, width = image.shape[:2]
        images.append(dict(id=image_id, file_name=f'{name}.jpg', width=width, height=height))
        for digit in digits:
            annotations.append(_coco_annotation(digit, image_id, len(annotations) + 1))
            _write_jpeg(crops / CLASSES[digit.label] / f'{len(annotations):06d}.jpg',
                        crop(image, digit.bbox))
        names.append(name)
    coco = dict(images=images, annotations=annotations, categories=_coco_categories())
    (tree / 'annotations' / f'instances_{split}.json').write_text(json.dumps(coco),
                                                                  encoding='utf-8')
    listing = voc / 'ImageSets' / 'Main' / f'{VOC_SPLIT[split]}.txt'
    listing.write_text(''.join(f'{name}\n' for name in names), encoding='utf-8')


def crop(image: np.ndarray, bbox: Sequence[int]) -> np.ndarray:
    """Cut a box out of a picture, as a square with an eighth of context on every side.

    Args:
        image (np.ndarray): (height, width, 3).
        bbox (Sequence[int]): x, y, width, height in pixels.

    Returns:
        np.ndarray: (side, side, 3), the pixels of ``image``. Beyond its border they are
        those of the border.
    """
    x, y, width, height = bbox
    side = max(width, height) + 2 * (max(width, height) // 8)
    left, top = x - (side - width) // 2, y - (side - height) // 2
    rows = np.clip(np.arange(top, top + side), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, image.shape[1] - 1)
    return image[np.ix_(rows, columns)]


def _write_jpeg(path: Path, image: np.ndarray) -> None:
    if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 90]):
        raise OSError(f'OpenCV could not write {path}')


def _write_image(path: Path, voc_path: Path, image: np.ndarray) -> None:
    _write_jpeg(path, image)
    try:
        os.link(path, voc_path)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, voc_path)


def _coco_categories() -> List[Dict[str, Any]]:
    ring = [[1, 2], [2, 3], [3, 4], [4, 1]]
    return [dict(id=i + 1, name=name, supercategory='digit', keypoints=list(KEYPOINTS),
                 skeleton=ring) for i, name in enumerate(CLASSES)]


def _coco_annotation(digit: PlacedDigit, image_id: int, annotation_id: int) -> Dict[str, Any]:
    # Run lengths, because a polygon cannot have the hole of a 0.
    rle = coco_mask.encode(np.asfortranarray(digit.visible, dtype=np.uint8))
    rle['counts'] = rle['counts'].decode('ascii')
    return dict(
        id=annotation_id,
        image_id=image_id,
        category_id=digit.label + 1,
        bbox=digit.bbox,
        area=int(digit.visible.sum()),
        segmentation=rle,
        keypoints=digit.keypoints,
        num_keypoints=len(KEYPOINTS),
        iscrowd=0,
        source=digit.source)  # not COCO's: the index in load_digits


def _write_voc(path: Path, image: np.ndarray, digits: Sequence[PlacedDigit]) -> None:
    root = ElementTree.Element('annotation')
    _add(root, 'filename', f'{path.stem}.jpg')
    size = ElementTree.SubElement(root, 'size')
    for tag, value in zip(('height', 'width', 'depth'), image.shape):
        _add(size, tag, value)
    for digit in digits:
        item = ElementTree.SubElement(root, 'object')
        _add(item, 'name', CLASSES[digit.label])
        _add(item, 'truncated', 0)
        _add(item, 'occluded', int((digit.full & ~digit.visible).any()))
        _add(item, 'difficult', 0)
        box = ElementTree.SubElement(item, 'bndbox')
        x, y, width, height = digit.bbox
        # VOC counts pixels from 1 and includes the last one.
        corners = dict(xmin=x + 1, ymin=y + 1, xmax=x + width, ymax=y + height)
        for tag, value in corners.items():
            _add(box, tag, value)
    ElementTree.indent(root)
    path.write_text(ElementTree.tostring(root, encoding='unicode') + '\n', encoding='utf-8')


def _add(parent: ElementTree.Element, tag: str, text: Any) -> None:
    ElementTree.SubElement(parent, tag).text = str(text)
