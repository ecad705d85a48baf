"""Annotation files before a data set is built of them, which may fail or leave things out."""
import json
import math
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set
from xml.etree import ElementTree

from mmengine.registry import DATASETS, DefaultScope

from ...types import bases_of
from .findings import Finding
from .numbers import check_order, numbers_of

_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


@dataclass
class Annotations:
    """What stands in the annotation files of one data set.

    Args:
        names: Of all classes, in the files' order; None where files name no classes.
        findings: What is wrong with them.
        numbers: Class -> its number in the data set; empty where the files do not tell.
    """
    names: Optional[List[str]] = None
    findings: List[Finding] = field(default_factory=list)
    numbers: Dict[str, int] = field(default_factory=dict)


def read_annotations(dataset: Mapping[str, Any], largest: float = math.inf) -> Annotations:
    """Read the annotation files of one data set; of a kind that is not known, nothing.

    Args:
        dataset: Its config, of COCO's form (JSON) or VOC's (XML); a name without a scope is of
            the current default scope.
        largest: Bytes of JSON; of a larger file only the end is looked at, which is missing
            after an interrupted download. Default: no limit.
    """
    root, file = dataset.get('data_root') or '', dataset.get('ann_file')
    if not isinstance(file, str) or not file or dataset.get('backend_args'):
        return Annotations()
    path = os.path.join(root, file)
    kinds = _kinds(dataset)
    if 'XMLDataset' in kinds:
        found = _read_xml(dataset, root, path)
    elif path.endswith('.json') and os.path.isfile(path):
        found = (_read_coco if os.path.getsize(path) <= largest else _read_end)(path)
    else:
        return Annotations()
    classes = _classes(dataset)
    found.numbers = numbers_of(kinds, classes, found.names)
    found.findings += _check_names(classes, found.names)
    found.findings += check_order(classes, found.numbers)
    return found


def _read_end(path: str) -> Annotations:
    with open(path, 'rb') as file:
        file.seek(-64, os.SEEK_END)
        whole = file.read().strip().endswith((b'}', b']'))
    return Annotations(findings=[] if whole else [
        Finding('annotation', path, 'its end is missing', True)])


def _read_coco(path: str) -> Annotations:
    try:
        content = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        return Annotations(findings=[Finding('annotation', path, str(error), True)])
    if not isinstance(content, dict) or 'annotations' not in content:
        return Annotations()        # JSON of another form
    missing = {'images', 'categories'} - set(content)
    if missing:
        return Annotations(findings=[Finding(
            'annotation', path, f'has no {" and no ".join(sorted(missing))}', True)])
    names = [category.get('name') for category in content['categories']]
    known = {category.get('id') for category in content['categories']}
    images = {image.get('id'): image for image in content['images']}
    findings = []
    for annotation in content['annotations']:
        if 'segments_info' in annotation:       # panoptic
            continue
        what = _coco_fault(annotation, known, images)
        if what:
            where = images.get(annotation.get('image_id'), {}).get('file_name') or path
            findings.append(Finding('left out', str(where), f'annotation {annotation.get("id")} '
                                    f'{what}'))
    return Annotations(names, findings)


def _coco_fault(annotation: Mapping[str, Any], known: Set, images: Mapping) -> str:
    """Why the data set leaves an annotation out, or an image; empty if it does not."""
    if annotation.get('image_id') not in images:
        return f'is of an image {annotation.get("image_id")} that is not listed'
    if annotation.get('category_id') not in known:
        return f'is of a category {annotation.get("category_id")} that is not listed'
    box = annotation.get('bbox')
    if box is None:
        return ''
    if len(box) != 4 or not all(isinstance(v, (int, float)) and math.isfinite(v) for v in box):
        return f'has the box {box}: four numbers are expected'
    x, y, width, height = box
    text = f'has the box {box} (x, y, width, height)'
    if width <= 0 or height <= 0 or annotation.get('area', 1) <= 0:
        return f'{text} without an area'
    if width < 1 or height < 1:
        return f'{text} thinner than a pixel'
    image = images[annotation['image_id']]
    size = image.get('width') or math.inf, image.get('height') or math.inf
    outside = x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0
    return f'{text} beyond its image of {size[0]} x {size[1]} pixels' if outside else ''


def _read_xml(dataset: Mapping[str, Any], root: str, listing: str) -> Annotations:
    folder = os.path.join(root, (dataset.get('data_prefix') or {}).get('sub_data_root', ''),
                          dataset.get('ann_subdir', 'Annotations'))
    try:
        ids = Path(listing).read_text(encoding='utf-8').split('\n')
    except (OSError, ValueError) as error:
        return Annotations(findings=[Finding('annotation', listing, str(error), True)])
    names: Counter = Counter()
    findings = []
    for image in [line.strip() for line in ids if line.strip()]:
        path = os.path.join(folder, f'{image}.xml')
        try:
            names.update(_xml_names(path))
        except (OSError, ValueError, ElementTree.ParseError) as error:
            findings.append(Finding('annotation', path, _why(error), True))
    return Annotations(list(names), findings)


def _xml_names(path: str) -> List[str]:
    """The classes of the objects in a file of VOC's form.

    Raises:
        ValueError: It lacks something that the data set reads.
    """
    names = []
    for item in ElementTree.parse(path).getroot().findall('object'):
        name, box = item.findtext('name'), item.find('bndbox')
        corners = [] if box is None else [text for tag in _CORNERS if (text := box.findtext(tag))]
        if name is None or len(corners) < len(_CORNERS):
            raise ValueError('an object lacks its name, its bndbox or one of '
                             f'{", ".join(_CORNERS[:-1])} and {_CORNERS[-1]}')
        for corner in corners:
            int(float(corner))
        names.append(name or '(no name)')
    return names


def _why(error: Exception) -> str:
    return getattr(error, 'strerror', None) or str(error)


def _kinds(dataset: Mapping[str, Any]) -> Dict[str, type]:
    """The classes that a data set's class is derived from, itself first, by name."""
    current = DefaultScope.get_current_instance()
    return {base.__name__: base
            for base in bases_of(DATASETS, dataset, current and current.scope_name)}


def _classes(dataset: Mapping[str, Any]) -> List[str]:
    """The classes that a data set will have; none if only building it would tell."""
    names = (dataset.get('metainfo') or {}).get('classes')
    if names is None:
        own = ((getattr(base, 'METAINFO', None) or {}).get('classes')
               for base in _kinds(dataset).values())
        names = next(filter(None, own), ())
    return list(names) if isinstance(names, (list, tuple)) else []


def _check_names(classes: Sequence[str], names: Optional[Sequence[str]]) -> Iterator[Finding]:
    """The config's names of classes against the files'."""
    if not classes or names is None:
        return
    lost = [name for name in classes if name not in names]
    if names and len(lost) == len(classes):
        yield Finding('annotation', 'metainfo.classes', f'none of the classes {_few(classes)} is '
                      f'in the annotation files, which have {_few(names)}: set '
                      'dataset.metainfo.classes', True)
        return
    for name in lost:
        yield Finding('class', name, 'the annotation files name no such class')
    for name in names:
        if name not in classes:
            yield Finding('unnamed', str(name), 'is in the annotation files, but not a class of '
                          'the config: its objects are left out')


def _few(names: Sequence) -> str:
    return ', '.join(map(str, names[:5])) + (f', ... ({len(names)})' if len(names) > 5 else '')
