"""The cheap part of the check, by a lottery itself: seconds, whatever the size of the data."""
from typing import Any, Dict, List, Mapping

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmlth.core.errors import UserError

from ..data_paths import leaves
from .boxes import check_boxes
from .files import read_annotations
from .findings import Finding
from .images import check_images
from .numbers import check_alike
from .parts import entries, parts, settings_of

ENTRIES, IMAGES = 1000, 8
_LARGE = 20_000_000     # bytes of JSON; more takes seconds to parse
# Config of a sound data set -> its classes' numbers: the lotteries of a study have one.
_SOUND: Dict[str, Dict[str, int]] = {}


def check_annotation_files(datasets: Mapping[str, Any]) -> None:
    """Raise a UserError for an annotation file that cannot be read, or knows no class wanted, and
    for files that number classes differently.

    Args:
        datasets: Name of a loader -> the config of its data set; local files only.
    """
    numbered = []
    for loader, dataset in datasets.items():
        for leaf in leaves(dataset):
            if str(leaf) not in _SOUND:
                found = read_annotations(leaf, _LARGE)
                _raise(loader, [f for f in found.findings if f.fatal])
                _SOUND[str(leaf)] = found.numbers
            numbered.append((loader, _SOUND[str(leaf)]))
    for loader, finding in check_alike(numbered):
        _raise(loader, [finding])


class FirstLookHook(Hook):
    """Before the first iteration, look at the data sets that the Runner has built.

    Some boxes, the classes and the first images; a mistake of the first hour should not take it.
    """
    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        loops = (('train_dataloader', runner.train_loop), ('val_dataloader', runner.val_loop))
        for name, loop in loops:
            dataset = getattr(getattr(loop, 'dataloader', None), 'dataset', None)
            for part in parts(dataset):
                look_at(name, part)


def look_at(loader: str, dataset: Any) -> None:
    """Raise a UserError for what would end the training.

    Args:
        loader: Its name.
        dataset: Built.
    """
    found = list(entries(dataset, ENTRIES))
    fatal: List[Finding] = []
    if loader == 'train_dataloader':
        fatal += [f for entry in found for f in check_boxes(entry, True) if f.fatal]
    settings = settings_of(dataset)
    if settings is not None:
        images = list({entry.path: entry.size for entry in found}.items())[:IMAGES]
        fatal += [f for f in check_images(images, settings, 1) if f.fatal]
    _raise(loader, fatal)


def _raise(loader: str, fatal: List[Finding]) -> None:
    if fatal:
        more = f' (and {len(fatal) - 3} more like these)' if len(fatal) > 3 else ''
        raise UserError(
            f'{loader}: {"; ".join(map(str, fatal[:3]))}{more}. It would end the training, or '
            'spoil it. Mend the files or leave them out; tools/check_data.py '
            'CONFIG --all looks at all of them.')
