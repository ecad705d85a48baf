"""A transferred ticket: its mask, and what it overwrote of the rewind point, are the source's."""
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor

from mmlth.core import CONTROLS, Ticket, paths
from mmlth.core import mask as masks
from mmlth.core.drawing.control import same_mask
from mmlth.transfer import Source, match_names, read_source

from ..reading import file_digest
from .violation import Violation


def check_transferred(path: Path, ticket: Ticket,
                      folder: Optional[Path]) -> Tuple[str, Optional[Dict[str, Tensor]]]:
    """Compare a ticket with what was carried over, and that with its source.

    Args:
        path: The ticket's file.
        ticket: The ticket.
        folder: Of the training that wrote it.

    Returns:
        tuple[str, dict or None]: What was compared, empty for a ticket that was drawn, and the
        weights that the source has in place of the rewind point's. None: they are not here.
    """
    spec = ticket.meta.get('transfer')
    if spec is None:
        return '', {}
    kept = folder and folder / paths.START_MASK
    if kept is None or not kept.is_file():
        return f'what was carried over, {paths.START_MASK}, is not here', None
    carried = Ticket.load(kept)
    if not isinstance(spec, dict) or carried.meta.get('transfer') != spec:
        raise Violation(f'{path} and {kept} do not name the same transfer')
    control = CONTROLS.get(str(ticket.meta.get('control')))
    if (control is None or control.mask is same_mask) and (
            masks.digest(ticket.mask) != masks.digest(carried.mask)):
        raise Violation(f'{path}: its mask is not that of {kept}')
    own = list(dict.fromkeys([*ticket.state, *carried.state, *carried.mask]))
    try:
        return f', overwritten by {_check_source(kept, carried, spec, own)}', carried.state
    except (KeyError, TypeError) as error:
        raise Violation(f'{path}: what it notes of its transfer is malformed: {error}') from None


def _check_source(kept: Path, carried: Ticket, spec: Mapping, own: Sequence[str]) -> str:
    """Masks and weights are the source's, where it is still as it was."""
    source_path = Path(str(spec.get('source')))
    if not source_path.is_file() or file_digest(source_path) != spec.get('sha256'):
        return f'{source_path} (not compared: it is gone, or another file by now)'
    # Older versions took any zeros.
    source = read_source(source_path, spec['sparsity'],
                         zeros=spec.get('zeros', spec['sparsity'] is None))
    names = list(dict.fromkeys([*source.weights, *source.mask]))
    places = {place: name for name, place in match_names(names, own, spec['mapping']).items()}
    for place, keep in carried.mask.items():
        _check_mask(kept, place, keep, source.mask.get(places.get(place, '')), source)
    for place, tensor in carried.state.items():
        expected = source.weights.get(places.get(place, ''))
        if expected is not None and place in carried.mask:
            expected = expected.masked_fill(~carried.mask[place], 0)
        if expected is None or not torch.equal(tensor, expected):
            raise Violation(f'{kept}: {place} is not the weight of {source_path}')
    if source.sparsity is not None:
        _check_pruned_here(kept, carried, {n: source.weights[places[n]] for n in carried.mask},
                           source.sparsity)
    return f'{source_path}'


def _check_mask(kept: Path, place: str, keep: Tensor, theirs: Optional[Tensor],
                source: Source) -> None:
    if source.sparsity is None and (theirs is None or not torch.equal(keep, theirs)):
        raise Violation(f'{kept}: the mask of {place} is not that of the source')


def _check_pruned_here(kept: Path, carried: Ticket, weights: Mapping[str, Tensor],
                       sparsity: float) -> None:
    """Exactly the smallest weights are pruned."""
    wanted, found = round(sparsity * masks.size(carried.mask)), masks.pruned(carried.mask)
    gone = max((float(w[~carried.mask[n]].abs().max()) for n, w in weights.items()
                if not carried.mask[n].all()), default=0.0)
    left = min((float(w[carried.mask[n]].abs().min()) for n, w in weights.items()
                if carried.mask[n].any()), default=float('inf'))
    if found != wanted or gone > left:
        raise Violation(f'{kept}: {found} weights are pruned, of magnitudes up to {gone}, and from '
                        f'{left} on they are kept; expected are the {wanted} smallest')
