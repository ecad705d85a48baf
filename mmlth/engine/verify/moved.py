"""The masks of a training that changes them: they began as the ticket's, their count is right."""
from pathlib import Path
from typing import Any, Mapping, Optional

from torch import Tensor

from mmlth.core import mask as masks
from mmlth.core.drawing.floor import floor_counts

from .violation import Violation


def update_of(checkpoint: Mapping[str, Any], path: Path) -> Optional[Mapping[str, Any]]:
    """What the checkpoint notes of its training's mask update; None if the mask is static."""
    entry = checkpoint.get('mmlth', {}).get('update')
    if entry is None:
        return None
    target = entry.get('target') if isinstance(entry, dict) else 0
    known = target is None or isinstance(target, dict) and isinstance(
        target.get('sparsity'), float) and target.get('exact') in (
            'scope', 'layer', None) and type(target.get('floor', 0.0)) in (int, float)
    if not known or type(entry.get('done')) is not int or not isinstance(entry.get('ticket'), str):
        raise Violation(f'{path}: what mmlth.update notes of the change of masks is malformed')
    return entry


def check_moved(path: Path, mask: Mapping[str, Tensor], entry: Mapping[str, Any],
                ticket: Optional[Mapping[str, Tensor]], source: str) -> str:
    """The masks have begun as the ticket's, and prune as many weights as the update says.

    Args:
        path: The checkpoint.
        mask: Its masks.
        entry: What it notes of the update.
        ticket: The masks of the ticket, where it is there.
        source: Where ``ticket`` comes from, for the message.

    Returns:
        str: What was checked.
    """
    if ticket is not None and masks.digest(ticket) != entry['ticket']:
        raise Violation(f'{path}: its training has begun with other masks than those of {source}')
    target, wanted = entry['target'], {}
    if target is not None and target['exact'] is not None:
        sparsity, layer = target['sparsity'], target['exact'] == 'layer'
        least = floor_counts(mask, target.get('floor', 0.0)) if layer else {}
        for part in [{n: m} for n, m in mask.items()] if layer else [mask]:
            size = masks.size(part)
            room = size - sum(least.get(name, 0) for name in part)
            _check_count(path, part, min(round(sparsity * size), room))
        return (f'as many as the update says after iteration {entry["done"]}'
                f'{", of every layer" if target["exact"] == "layer" else ""}')
    if target is None and ticket is not None:
        wanted = {name: masks.pruned({name: keep}) for name, keep in ticket.items()}
        for name, keep in mask.items():
            _check_count(path, {name: keep}, wanted.get(name, 0))
        return f'as many of every layer as in {source}'
    return 'count not compared (masks change within the training)'


def _check_count(path: Path, part: Mapping[str, Tensor], wanted: int) -> None:
    if masks.pruned(part) != wanted:
        where = next(iter(part)) if len(part) == 1 else 'the scope'
        raise Violation(f'{path}: {masks.pruned(part)} of {masks.size(part)} weights of {where} '
                        f'are pruned, by the update of its masks it should be {wanted}')
