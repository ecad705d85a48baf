"""A round 0 that was given: what it left is what the given files hold, where they are here."""
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import torch
from torch import Tensor

from mmlth.core import Ticket, paths
from mmlth.transfer.formats import unwrapped

from ..given import read_given
from ..reading import file_digest
from .checkpoint import load_checkpoint, weights_of
from .violation import Violation


def given_file(note: Any) -> Optional[Path]:
    """The file of a note, if it is here and still the same; None if not."""
    if not isinstance(note, dict) or '://' in str(note.get('file')):
        return None
    path = Path(str(note.get('file'))).expanduser()
    return path if path.is_file() and file_digest(path) == note.get('sha256') else None


def given_start(ticket: Ticket) -> Tuple[Optional[Path], Optional[Dict[str, Tensor]]]:
    """The file of a given dense model whose trained weights a ticket starts from, and these.

    None for one that was trained here, or whose file is gone or has other names.
    """
    path = given_file(ticket.meta.get('dense'))
    weights = path and _by_name(read_given(path).trained.weights, ticket.state)
    return (path, weights) if weights and set(ticket.state) <= set(weights) else (None, None)


def check_given(folder: Path, given: Mapping[str, Any]) -> List[str]:
    """What was checked, a line per file.

    Args:
        folder: Of round 0.
        given: What ``lottery.json`` notes of it.
    """
    lines = []
    for key, name in (('dense', paths.FINAL), ('rewind', paths.REWIND)):
        note, path = given.get(key), folder / name
        if not note:
            continue
        source = given_file(note)
        if source is None:
            lines.append(f'{path}: not compared with {note["file"]}, which is gone, not a local '
                         'file, or another one by now')
        else:
            lines.append(f'{path}: {_compare(path, source)}')
    return lines


def _compare(path: Path, source: Path) -> str:
    """Both hold the same weights, the average where there are two copies."""
    given = read_given(source)
    found = weights_of(load_checkpoint(path), path)
    wanted = _by_name((given.average or given.trained).weights, found)
    missing = [name for name in found if name not in wanted]
    for name, tensor in found.items():
        if name in wanted and not torch.equal(tensor, wanted[name].to(tensor.dtype)):
            raise Violation(f'{path}: {name} is not that of {source}, which it was taken from')
    # Modules of today may call, or split, tensors of an older file otherwise.
    return f'its weights are those of {source}' + (
        f' ({len(missing)} of {len(found)} tensors have other names there)' if missing else '')


def _by_name(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    names = unwrapped(list(weights), own)
    return {names[name]: tensor for name, tensor in weights.items()}
