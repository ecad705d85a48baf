"""A tiny data set in VOC's layout, and the same in COCO's, to be broken by tests."""
import json
from pathlib import Path

import cv2
import numpy as np

CLASSES = ('cat', 'dog')
SIZE = (80, 64)     # width, height


def write_voc(root, images=6) -> Path:
    """Images ``0.jpg`` ... with a cat (even) or a dog (odd), and their files."""
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    noise = np.random.default_rng(0)
    for i in range(images):
        cv2.imwrite(str(root / f'JPEGImages/{i}.jpg'), noise.integers(0, 256, (64, 80, 3)))
        write_xml(root, i)
    (root / 'ImageSets/Main/trainval.txt').write_text('\n'.join(map(str, range(images))) + '\n')
    return root


def write_xml(root, i, name=None, box=(11, 11, 41, 51), size=SIZE):
    corners = ''.join(f'<{tag}>{value}</{tag}>' for tag, value in zip(
        ('xmin', 'ymin', 'xmax', 'ymax'), box))
    (root / f'Annotations/{i}.xml').write_text(
        f'<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>'
        f'<object><name>{name or CLASSES[i % 2]}</name><bndbox>{corners}</bndbox></object>'
        '</annotation>')


def write_coco(root, images=6) -> dict:
    """``coco.json`` of the same images; returns its content."""
    content = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=SIZE[0], height=SIZE[1])
                for i in range(images)],
        annotations=[dict(id=i, image_id=i, category_id=1 + i % 2, bbox=[10, 10, 30, 40],
                          area=1200, iscrowd=0, num_keypoints=1, keypoints=[20, 20, 2] * 17)
                     for i in range(images)],
        categories=[dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)])
    (root / 'coco.json').write_text(json.dumps(content))
    return content


def voc_dataset(root, **override) -> dict:
    return {**dict(
        type='mmdet.XMLDataset', data_root=f'{root}/', metainfo=dict(classes=CLASSES),
        ann_file='ImageSets/Main/trainval.txt', data_prefix=dict(sub_data_root=''),
        filter_cfg=dict(filter_empty_gt=True), pipeline=[
            dict(type='mmdet.LoadImageFromFile'),
            dict(type='mmdet.LoadAnnotations', with_bbox=True)]), **override}


def coco_dataset(root, **override) -> dict:
    return voc_dataset(root, **{**dict(
        type='mmdet.CocoDataset', ann_file='coco.json', data_prefix=dict(img='JPEGImages/')),
        **override})
