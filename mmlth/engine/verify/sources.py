"""The training that has drawn a ticket: its folder, and what is left there of its weights."""
import re
from pathlib import Path
from typing import Any, Dict, Optional

from torch import Tensor

from mmlth.core import paths
from mmlth.core.state import trained_weights

from .checkpoint import load_checkpoint, weights_of


def rewind_point(path: Path) -> Optional[Path]:
    """The file of the point that the ticket's lottery rewinds to, if it is there."""
    folder = path.parent if path.name == paths.NEXT_TICKET else (
        paths.round_dir(path.parent.parent, 0))
    return folder / paths.REWIND if (folder / paths.REWIND).is_file() else None


def origin(path: Path) -> Optional[Path]:
    """The folder of the training that drew the ticket."""
    if path.name == paths.NEXT_TICKET:
        return path.parent
    index = re.fullmatch(r'round_([1-9]\d{0,8})', path.absolute().parent.name)
    return index and paths.round_dir(path.absolute().parent.parent, int(index[1]) - 1)


def last_checkpoint(folder: Optional[Path], iterations: Any) -> Optional[Path]:
    """A checkpoint with the weights as they were after the last iteration."""
    if folder is None or not folder.is_dir():
        return None
    by_number = sorted((path for kind in ('iter', 'epoch') for path in folder.glob(f'{kind}_*.pth')
                        if path.stem.split('_')[1].isdecimal()),
                       key=lambda path: int(path.stem.split('_')[1]), reverse=True)
    final = folder / paths.FINAL
    for path in [*by_number, folder / paths.EARLY_BIRD_CHECKPOINT, final]:
        if not path.is_file():
            continue
        meta = load_checkpoint(path).get('meta', {})
        # With an EMAHook, final.pth has the average alone.
        if meta.get('iter') == iterations and not (
                path == final and 'EMAHook' in str(meta.get('cfg'))):
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
