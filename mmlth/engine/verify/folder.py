"""The folder of one training: its ticket, its checkpoints, what it drew."""
from pathlib import Path
from typing import List, Mapping, Optional, Tuple

from torch import Tensor

from mmlth.core import Ticket, paths

from .checkpoint import check_checkpoint
from .ticket import check_scope, check_ticket


def check_folder(folder: Path, earlier: Optional[Ticket] = None, static: bool = False,
                 ) -> Tuple[List[str], Optional[Ticket]]:
    """What was checked, a line per file, and the ticket that the training trains.

    Args:
        folder: A round's folder, or the work dir of any training.
        earlier: The ticket of the round before. Default: None.
        static: Its lottery changes no masks within a training. Default: False, it may.
    """
    lines, ticket, source = [], None, ''
    mask: Optional[Mapping[str, Tensor]] = None
    if (folder / paths.TICKET).is_file():
        text, ticket = check_ticket(folder / paths.TICKET, earlier)
        lines.append(f'{folder / paths.TICKET}: {text}')
        mask, source = ticket.mask, paths.TICKET
    for path in sorted(folder.glob('*.pth')):
        text, found = check_checkpoint(path, mask, source, static)
        lines.append(f'{path}: {text}')
        if mask is None and found is not None:      # all have the same, unless they change
            mask, source = found, path.name
    if (folder / paths.NEXT_TICKET).is_file():
        text, _ = check_ticket(folder / paths.NEXT_TICKET, ticket)
        lines.append(f'{folder / paths.NEXT_TICKET}: {text}')
    return lines + check_candidates(folder), ticket


def check_candidates(folder: Path) -> List[str]:
    """Masks drawn early have the scope of the ticket that was drawn at the end."""
    found = sorted((folder / paths.EARLY_BIRD).glob('candidate_*.safetensors'))
    found += [path for path in [folder / paths.START_MASK] if path.is_file()]
    if not found:
        return []
    drawn = [path for path in (folder / paths.NEXT_TICKET,
                               paths.round_dir(folder.parent, 1) / paths.TICKET)
             if path.is_file()]
    source = drawn[0] if drawn else found[0]
    mask = Ticket.load(source).mask
    for path in found:
        check_scope(path, Ticket.load(path).mask, mask, f'{source}')
    return [f'{path}: it has the scope of {source.parent.name}/{source.name}'
            for path in found]
