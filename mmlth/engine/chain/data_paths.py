"""The local files and folders that a config's data sets name."""
import itertools
import os
from typing import Any, Iterator, List, Mapping

from ..types import name_of


def leaves(dataset: Any) -> Iterator[Mapping[str, Any]]:
    """The configs of the data sets that one is made of; it may be None, or a list of them."""
    if isinstance(dataset, (list, tuple)):
        for part in dataset:
            yield from leaves(part)
    elif isinstance(dataset, Mapping):
        inner = [part for part in map(dataset.get, ('dataset', 'datasets')) if part]
        yield from leaves(inner) if inner else [dataset]


def data_paths(dataset: Any) -> Iterator[str]:
    """What must exist for a data set to be built.

    Args:
        dataset: Of a data loader in a config; data sets that wrap others, and lists of them, are
            followed. What is not local, or is not named by a path, is left out.
    """
    for part in leaves(dataset):
        # A concatenated data set of MMDetection 2 names a root and a file for each part.
        roots, files = _texts(part.get('data_root')), _texts(part.get('ann_file'))
        pairs = (zip(roots, files) if len(roots) == len(files) > 0 else
                 itertools.product(roots or [''], files or ['']))
        for root, file in pairs:
            if '://' not in f'{root}{file}' and _is_local(part.get('backend_args')):
                yield from _local(part, root, file, part.get('data_prefix'))


def _local(dataset: Mapping[str, Any], root: str, ann_file: str,
           prefixes: Any) -> Iterator[str]:
    if not ann_file:        # one folder per class; MMPretrain names it by a string
        folder = os.path.join(root, *_texts(prefixes)) if isinstance(prefixes, str) else root
        if folder:
            yield folder
        return
    yield os.path.join(root, ann_file)
    yield from _texts(dataset.get('bbox_file'))     # MMPose: the boxes of a person detector
    panoptic = 'Panoptic' in name_of(dataset.get('type'))
    prefixes = prefixes if isinstance(prefixes, dict) else dict(img=prefixes)
    for key, prefix in prefixes.items():
        # MMDetection's instance configs inherit `seg` from panoptic ones and read no such.
        if panoptic or key != 'seg':
            for text in _texts(prefix):
                if '://' not in text:       # mmengine joins it to no root
                    yield os.path.join(root, text)


def _is_local(backend_args: Any) -> bool:
    return not backend_args or backend_args.get('backend') == 'local'


def _texts(value: Any) -> List[str]:
    """The non-empty paths in a value: a string, a ``Path``, or a list of them."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [os.fspath(v) for v in values if isinstance(v, (str, os.PathLike)) and os.fspath(v)]
