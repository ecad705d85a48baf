"""All that the loaders of a config would read, looked at once."""
import copy
from collections import Counter
from typing import Any, Dict, List, Mapping, Optional, Sequence

from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from mmlth.core.errors import UserError

from ..data_paths import leaves
from .boxes import check_boxes
from .files import Annotations, read_annotations
from .findings import Finding, Look
from .images import check_images
from .numbers import check_alike
from .parts import classes_of, entries, parts, settings_of

SAMPLE = 200        # images per data set that are decoded without --all
LOADERS = ('train_dataloader', 'val_dataloader')


def check_loaders(cfg: Config, every_image: bool = False) -> List[Look]:
    """Look at what the training and the validation of ``cfg`` would read.

    Every annotation is read, and of each data set 200 images that are spread evenly over it; none
    where a step of the user's own loads them.

    Args:
        cfg: The whole config.
        every_image: Decode all images. Default: False.

    Raises:
        UserError: The config has no data.
    """
    found = {name: dataset for name in LOADERS
             if (dataset := (cfg.get(name) or {}).get('dataset'))}
    if not found:
        raise UserError(f'the config has no {" and no ".join(LOADERS)}: there is no data to check')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
        files = {name: [read_annotations(leaf) for leaf in leaves(dataset)]
                 for name, dataset in found.items()}
        looks = {name: _look(name, found[name], annotations, every_image)
                 for name, annotations in files.items()}
    for name, finding in check_alike((name, annotations.numbers) for name, several in files.items()
                                     for annotations in several):
        looks[name].findings.append(finding)
    return list(looks.values())


def _look(name: str, dataset: Mapping[str, Any], annotations: Sequence[Annotations],
          every_image: bool) -> Look:
    look = Look(name, findings=[finding for file in annotations for finding in file.findings])
    if look.fatal:      # it cannot be built
        return look
    try:
        built = DATASETS.build(copy.deepcopy(dataset))  # transforms may write into theirs
    except Exception as error:      # whatever a data set raises ends the training as well
        look.findings.append(Finding('annotation', str(dataset.get('type')), 'the data set cannot '
                                     f'be built ({type(error).__name__}: {error})', True))
        return look
    for part in parts(built):
        _add(look, part, None if every_image else SAMPLE)
    return look


def _add(look: Look, part: Any, sample: Optional[int]) -> None:
    """Look at one data set."""
    classes, training = classes_of(part), look.name == LOADERS[0]
    look.classes = max(look.classes, len(classes))
    counts: Counter = Counter()
    sizes: Dict[str, Any] = {}
    filled = set()
    for entry in entries(part):
        look.findings += check_boxes(entry, training)
        used = [label for label, ignored in zip(entry.labels, entry.ignored) if not ignored]
        look.objects += len(used)
        look.ignored += len(entry.labels) - len(used)
        counts.update(used)
        sizes[entry.path] = entry.size
        filled.update([entry.path] if used else [])
    look.images += len(sizes)
    look.findings += [Finding('empty', path, 'has no object') for path in sizes
                      if path not in filled]
    look.findings += [Finding('unseen', name, 'no image has an object of this class')
                      for i, name in enumerate(classes) if not counts[i]]
    settings = settings_of(part)
    images = list(sizes.items()) if settings is not None else []
    if sample is not None and sample < len(images):
        images = [images[i * len(images) // sample] for i in range(sample)]
    look.read += len(images)
    look.findings += check_images(images, settings or {})
