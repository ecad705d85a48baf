"""Ground truth of a data set: how often a category was trained on, and a form for COCO."""
import copy
from collections import Counter
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.fileio import load
from mmengine.registry import DATASETS
from pycocotools.coco import COCO
from torch.utils.data import Dataset

from mmlth.engine.chain.data_check.parts import parts

from .quiet import quiet

_counted: Dict[str, Optional[Dict[str, int]]] = {}


def training_counts(cfg: Config) -> Optional[Dict[str, int]]:
    """Annotations per category that the training saw, crowds and ignored ones left out.

    Args:
        cfg: The whole config; its default scope must be the current one.

    Returns:
        dict: Name of the category -> number; None if the training data are not there, or
        have no categories.
    """
    data = cfg.train_dataloader.dataset
    key = str(data)         # several rounds and seeds train on the same
    if key not in _counted:
        try:
            with quiet():
                _counted[key] = _count(DATASETS.build(copy.deepcopy(data)))
        except OSError:
            return None
    return _counted[key]


def category_names(categories: Iterable[Mapping[str, Any]]) -> Dict[Any, str]:
    """Id -> name of COCO's categories; of several with one name, with the id behind it."""
    categories = list(categories)
    number = Counter(category['name'] for category in categories)
    return {c['id']: str(c['name']) if number[c['name']] == 1 else f'{c["name"]} (id {c["id"]})'
            for c in categories}


def to_coco(dataset: BaseDataset) -> COCO:
    """The ground truth of an MMDetection data set that has no COCO file.

    As MMDetection converts it: ignored objects (in VOC: difficult ones) become crowds, the
    area of an object is that of its box, and a category's id is its label.
    """
    classes = dataset.metainfo['classes']
    images: List[Dict[str, Any]] = []
    annotations: List[Dict[str, Any]] = []
    for info in _infos(dataset):
        images.append(dict(id=info['img_id'], width=info['width'], height=info['height']))
        for instance in info['instances']:
            x1, y1, x2, y2 = map(float, instance['bbox'])
            annotations.append(dict(
                id=len(annotations) + 1, image_id=info['img_id'],
                category_id=int(instance['bbox_label']), bbox=[x1, y1, x2 - x1, y2 - y1],
                area=(x2 - x1) * (y2 - y1), iscrowd=int(instance['ignore_flag'])))
    coco = COCO()
    coco.dataset = dict(
        images=images, annotations=annotations,
        categories=[dict(id=label, name=name) for label, name in enumerate(classes)])
    with quiet():
        coco.createIndex()
    return coco


def image_paths(dataset: BaseDataset) -> Dict[Any, str]:
    """The files of the images, by id."""
    return {info['img_id']: info['img_path'] for info in _infos(dataset)}


def _infos(dataset: BaseDataset) -> Iterator[dict]:
    return (dataset.get_data_info(index) for index in range(len(dataset)))


def _count(dataset: Dataset) -> Optional[Dict[str, int]]:
    counts: Counter = Counter()
    order: Dict[str, None] = {}
    for part in parts(dataset):
        names = _label_names(part)
        for info in _infos(part):
            if 'instances' in info and names:
                counts.update(names[i['bbox_label']] for i in info['instances']
                              if not i.get('ignore_flag'))
            else:           # MMPose: an entry is a person
                counts['person'] += 1
        named = set(names)
        order.update(dict.fromkeys(  # as the config has them, then what it has no name for
            [*(n for n in part.metainfo.get('classes') or () if n in named or not counts[n]),
             *names]))
    return {name: counts[name] for name in order or counts} or None


def _label_names(dataset: BaseDataset) -> List[str]:
    """The category of each label.

    Labels of a COCO file are numbered as its categories stand in the file, whatever the order of
    ``metainfo`` is; of others as ``metainfo`` says.
    """
    if not hasattr(dataset, 'cat_ids'):
        return list(dataset.metainfo.get('classes') or ())
    content = load(dataset.ann_file, backend_args=getattr(dataset, 'backend_args', None))
    names = category_names(content['categories'])
    return [names[category] for category in dataset.cat_ids]
