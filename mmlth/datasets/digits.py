"""The embedded data set: scenes of handwritten digits, for a demo without downloads."""
import json
import os
import tempfile
from pathlib import Path
from typing import Dict

import numpy as np

from mmlth.core.files import AnyPath
from mmlth.datasets.digits_files import write_split
from mmlth.datasets.digits_render import enlarge
from mmlth.datasets.digits_scene import compose

FORMAT = 2  # raise it when the same parameters give other files
FINISHED = 'digits.json'  # a data set is complete when it holds this file
VAL_PART = 5  # every fifth digit of a class is for val


def make_digits(root: AnyPath = 'data/digits', *, seed: int = 0, train: int = 1600, val: int = 400,
                size: int = 224) -> Path:
    """Write the digits data set, unless it is there already: COCO, VOC, and crops.

    The scenes are composed from the 1,797 scans of ``sklearn.datasets.load_digits``:
    1 to 6 digits on a textured background with clutter, partly covering each other.
    Digit ``d`` is placed with a frequency proportional to ``1 / (d + 2)``, so that 0 is
    common and 9 is rare. No scan is used in both splits. The same arguments give the
    same bytes, and more scenes of a split leave its first ones as they were. ::

        root/digits.json                            the arguments it was made with
        root/{train,val}/000001.jpg                 the pictures
        root/annotations/instances_{train,val}.json boxes, masks, keypoints
        root/VOC2007/JPEGImages/000001.jpg          the same files (hard links)
        root/VOC2007/Annotations/000001.xml         boxes
        root/VOC2007/ImageSets/Main/{trainval,test}.txt   train, val
        root/crops/{train,val}/{0..9}/000001.jpg    every digit with some context, square,
                                                    named after its id in the COCO file

    The keypoints of a digit are its ``top``, ``left``, ``bottom`` and ``right`` extreme
    pixels. Boxes, masks and areas are those of the visible part.

    Args:
        root (str | Path): Folder to make. Defaults to ``'data/digits'``, relative to
            the current directory.
        seed (int): Defaults to 0.
        train (int): Number of scenes for training. Defaults to 1600.
        val (int): Number of scenes for validation. Defaults to 400.
        size (int): Width and height of a scene in pixels, at least 64. Defaults to 224.

    Returns:
        Path: ``root``.

    Raises:
        ValueError: If an argument is out of range, if ``root`` holds a data set made
            with other arguments, or if it holds something else.

    Note:
        The folder appears whole or not at all, and several processes may call this at
        once: the first to finish wins, and all go on with its files.
    """
    if seed < 0 or train < 1 or val < 1 or size < 64:
        raise ValueError('expected seed >= 0, train >= 1, val >= 1 and size >= 64, found '
                         f'seed={seed}, train={train}, val={val}, size={size}')
    root = Path(root)
    wanted = dict(format=FORMAT, seed=seed, train=train, val=val, size=size)
    if _is_finished(root, wanted):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{root.name}-', dir=root.parent) as temporary:
        tree = Path(temporary) / root.name
        _write(tree, wanted)
        try:
            os.rename(tree, root)
        except OSError:
            # Another process was faster (a folder with content is never replaced).
            if not _is_finished(root, wanted):
                raise
    return root


def _is_finished(root: Path, wanted: Dict[str, int]) -> bool:
    """Whether ``root`` holds the wanted data set; ValueError if it holds another."""
    if not (root / FINISHED).is_file():
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise ValueError(f'expected the digits data set or nothing at {root}, found something '
                             f'without {FINISHED}. Move it away, or choose another root.')
        return False
    found = json.loads((root / FINISHED).read_text(encoding='utf-8'))
    if found != wanted:
        raise ValueError(f'expected a digits data set made with {wanted} at {root}, found one made '
                         f'with {found}. Delete that folder to have it made anew, or choose '
                         'another root.')
    return True


def _write(tree: Path, wanted: Dict[str, int]) -> None:
    from sklearn.datasets import load_digits  # here: nothing else needs scikit-learn
    digits = load_digits()
    glyphs, labels = enlarge(digits.images), digits.target
    frequency = 1 / np.arange(2, 12)
    frequency /= frequency.sum()
    splits = _split(labels, wanted['seed'])
    start = 1
    for number, name in enumerate(('train', 'val')):
        scenes = (compose(np.random.default_rng([wanted['seed'], number, i]), glyphs, labels,
                          splits[name], frequency, wanted['size']) for i in range(wanted[name]))
        write_split(tree, name, scenes, start)
        start += wanted[name]
    (tree / FINISHED).write_text(json.dumps(wanted) + '\n', encoding='utf-8')


def _split(labels: np.ndarray, seed: int) -> Dict[str, np.ndarray]:
    """Divide the scans between the splits, every class in the same proportion.

    Returns:
        dict[str, np.ndarray]: Indices into ``labels`` for ``train`` and ``val``.
    """
    rng = np.random.default_rng(seed)
    val = np.zeros(len(labels), bool)
    for label in range(10):
        of_class = rng.permutation(np.flatnonzero(labels == label))
        val[of_class[::VAL_PART]] = True
    return dict(train=np.flatnonzero(~val), val=np.flatnonzero(val))
