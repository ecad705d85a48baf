"""The local files and folders that a config's data sets name."""
import itertools
import os
from typing import Any, Iterator, List

from .types import name_of


def data_paths(dataset: Any) -> Iterator[str]:
    """What must exist for a data set to be built.

    Args:
        dataset: Of a data loader in a config; data sets that wrap others, and lists of them, are
            followed. What is not local, or is not named by a path, is left out.
    """
    if isinstance(dataset, (list, tuple)):
        for part in dataset:
            yield from data_paths(part)
    elif isinstance(dataset, dict):
        for key in ('dataset', 'datasets'):
            yield from data_paths(dataset.get(key))
        # A concatenated data set of MMDetection 2 names a root and a file for each part.
        roots, files = _texts(dataset.get('data_root')), _texts(dataset.get('ann_file'))
        prefixes = dataset.get('data_prefix')
        pairs = (zip(roots, files) if len(roots) == len(files) > 0 else
                 itertools.product(roots or [''], files or ['']))
        for root, file in pairs:
            if '://' not in f'{root}{file}' and _is_local(dataset.get('backend_args')):
                yield from _local(dataset, root, file, prefixes)


def _local(dataset: dict, root: str, ann_file: str, prefixes: Any) -> Iterator[str]:
    if not ann_file:        # one folder per class; MMPretrain names it by a string
        if root or isinstance(prefixes, str):
            yield os.path.join(root, prefixes if isinstance(prefixes, str) else '')
        return
    yield os.path.join(root, ann_file)
    yield from _texts(dataset.get('bbox_file'))     # MMPose: the boxes of a person detector
    panoptic = 'Panoptic' in name_of(dataset.get('type'))
    prefixes = prefixes if isinstance(prefixes, dict) else dict(img=prefixes)
    for key, prefix in prefixes.items():
        # MMDetection's instance configs inherit `seg` from panoptic ones and read no such.
        if panoptic or key != 'seg':
            for text in _texts(prefix):
                yield os.path.join(root, text)


def _is_local(backend_args: Any) -> bool:
    return not backend_args or backend_args.get('backend') == 'local'


def _texts(value: Any) -> List[str]:
    """The non-empty paths in a value: a string, a ``Path``, or a list of them."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [os.fspath(v) for v in values if isinstance(v, (str, os.PathLike)) and os.fspath(v)]
