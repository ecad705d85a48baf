"""The training that has drawn a ticket: its folder, and what is left there of its weights."""
import re
from pathlib import Path
from typing import Any, Dict, Optional

from torch import Tensor

from mmlth.core import Ticket, paths
from mmlth.core.state import trained_weights

from .checkpoint import load_checkpoint, weights_of


def rewind_point(path: Path, start: str) -> Optional[Path]:
    """The file of the point that the ticket was rewound to, if it is there.

    Args:
        path: The ticket's.
        start: The point's file as the ticket notes it. Beside a stock training it may have any
            name; its folder may have been moved since.
    """
    folder = path.parent if path.name == paths.NEXT_TICKET else (
        paths.round_dir(path.parent.parent, 0))
    place = folder / Path(start).name
    return place if place.is_file() else None


def origin(path: Path) -> Optional[Path]:
    """The folder of the training that drew the ticket."""
    if path.name == paths.NEXT_TICKET:
        return path.parent
    index = re.fullmatch(r'round_([1-9]\d{0,8})', path.parent.name)
    return index and paths.round_dir(path.parent.parent, int(index[1]) - 1)


def last_checkpoint(path: Path, ticket: Ticket) -> Optional[Path]:
    """A checkpoint with the weights that the ticket was drawn of: those of the training's end.

    Where a hook has set them behind the last checkpoint of the training, ``final.pth`` alone may.
    """
    folder, iterations = origin(path), ticket.meta.get('iterations')
    found = None
    if not ticket.meta.get('set_at_end'):
        found = saved_on_the_way(folder, iterations)
    if found is not None or folder is None or not (folder / paths.FINAL).is_file():
        return found
    meta = load_checkpoint(folder / paths.FINAL).get('meta', {})
    # With an EMAHook, final.pth has the average alone. Earlier versions did not note it.
    averaged = meta.get('averaged', 'EMAHook' in str(meta.get('cfg')))
    return None if averaged or meta.get('iter') != iterations else folder / paths.FINAL


def saved_on_the_way(folder: Optional[Path], iterations: Any) -> Optional[Path]:
    """A checkpoint that the training itself has saved, after so many iterations."""
    if folder is None or not folder.is_dir():
        return None
    by_number = sorted((path for kind in ('iter', 'epoch') for path in folder.glob(f'{kind}_*.pth')
                        if path.stem.split('_')[1].isdecimal()),
                       key=lambda path: int(path.stem.split('_')[1]), reverse=True)
    for path in [*by_number, folder / paths.EARLY_BIRD_CHECKPOINT]:
        if path.is_file() and load_checkpoint(path).get('meta', {}).get('iter') == iterations:
            return path
    return None


def read_trained(path: Path) -> Dict[str, Tensor]:
    """The trained weights of a checkpoint, not their moving average."""
    return trained_of(load_checkpoint(path), path)


def trained_of(checkpoint: Dict[str, Any], path: Path) -> Dict[str, Tensor]:
    """Those of a checkpoint that is read already."""
    states = {key: weights_of(checkpoint, path, key)
              for key in ('state_dict', 'ema_state_dict') if key in checkpoint}
    return trained_weights({'state_dict': {}, **states})
