"""Carry masks, and weights, over to another model; nothing is dropped silently."""
from typing import Container, Dict, Iterable, List, Mapping, Sequence, Tuple, Union

from torch import Tensor, nn

from mmlth.core import Ticket, draw, prunable
from mmlth.core import state as states
from mmlth.core.counts import sparsity_report
from mmlth.core.errors import UserError
from mmlth.core.parts import groups_of, part_of

from .mapping import Rule, match_names
from .outcome import Outcome, paper_row
from .source import Source

# Of what is pruned on the way: the paper's network sparsities (Tables 1 and 2) are those of
# the backbone's convolutions without its shortcuts and, by VOC's last digit, its stem.
UNPRUNED = ('stem', 'downsample')


def transfer(source: Source, model: nn.Module, mapping: Union[str, Sequence[Rule]] = 'backbone',
             weights: bool = True, strict: bool = True) -> Tuple[Ticket, Outcome]:
    """The ticket of ``model`` that ``source`` gives (the paper, 4.2 and Table 4).

    Args:
        source: From :func:`read_source`. With a ``sparsity``, the convolutions and linear
            layers that find a place are pruned to it by global magnitude, but for the
            groups :data:`UNPRUNED` by the target's names.
        model: The bare target model.
        mapping: A key of ``MAPPINGS`` or rules. Default: ``'backbone'``.
        weights: Take the weights over too; else the ticket is only a mask. Default: True.
        strict: A tensor of another shape, or one that a part of the target lacks of which
            others were found, is an error; else it is reported. Default: True.

    Returns:
        tuple[Ticket, Outcome]: The ticket's state holds what was transferred, the rest of the
        target keeps its own initialisation (``TicketHook(strict=False)``).

    Raises:
        UserError: No mask finds a place; or ``strict``, and shapes differ or tensors lack.
    """
    own = states.unique(model)
    names = list(dict.fromkeys([*source.weights, *source.mask]))
    pairs = match_names(names, list(own), mapping)
    tensors = {**source.mask, **source.weights}
    shapes = {n: tuple(tensors[n].shape) for n in pairs}
    mismatched = {pairs[n]: (shape, tuple(own[pairs[n]].shape)) for n, shape in shapes.items()
                  if shape != tuple(own[pairs[n]].shape)}
    _check_shapes(mismatched, len(pairs), strict)
    pairs = {n: place for n, place in pairs.items() if place not in mismatched}
    mask = _masks(source, model, pairs)
    if not mask:
        raise UserError(_nothing_matched(mapping, names, list(own), mismatched))
    state = {place: source.weights[n] for n, place in pairs.items()
             if weights and n in source.weights}
    missing = _missing(own, pairs.values(), mismatched)
    if strict and state:
        _check_missing(missing)
    report = sparsity_report(model, mask)
    # Between tasks the percentage is that of the whole source, of which a part is transferred.
    row = None if missing or mismatched else paper_row(
        model, mapping, names, source.mask if mapping == 'till_heads' else mask)
    meta = dict(transferred=True, mapping=mapping if isinstance(mapping, str) else 'own rules',
                masks=source.origin, start='the source' if state else None)
    return Ticket.draw(mask, state, meta, 'the source'), Outcome(
        source.origin, pairs, [n for n in names if n not in pairs and n not in shapes],
        missing, mismatched, len(mask), bool(state), report['scope']['sparsity'],
        report['network']['sparsity'], row)


def _masks(source: Source, model: nn.Module, pairs: Mapping[str, str]) -> Dict[str, Tensor]:
    """By the target's names: those of the source, or drawn of its weights."""
    if source.sparsity is None:
        params = dict(model.named_parameters())
        return {place: source.mask[n] for n, place in pairs.items()
                if n in source.mask and place in params}
    known = prunable(model)
    found = {place: source.weights[n] for n, place in pairs.items()
             if place in known and groups_of(place)[0] not in UNPRUNED}
    return draw(found, source.sparsity) if found else {}


def _check_shapes(mismatched: Dict[str, tuple], matched: int, strict: bool) -> None:
    if mismatched and strict:
        name, (theirs, ours) = next(iter(mismatched.items()))
        raise UserError(
            f'{len(mismatched)} of {matched} tensors have another shape in the target, the first '
            f'is {name}: {theirs} in the source, {ours} in the target. Is it the ticket of a '
            'wider or deeper model? strict=False leaves such tensors out.')


def _check_missing(missing: List[str]) -> None:
    # Old checkpoints lack these counters, which nothing reads.
    lacking = [name for name in missing if not name.endswith('.num_batches_tracked')]
    if lacking:
        raise UserError(
            f'the source lacks {len(lacking)} tensors of parts of the target that it has others '
            f'of, the first is {lacking[0]}. Is it the checkpoint of a smaller model, or a part '
            'of one? strict=False leaves such tensors as they are initialised.')


def _nothing_matched(mapping: Union[str, Sequence[Rule]], names: List[str], own: List[str],
                     mismatched: Mapping[str, tuple]) -> str:
    if mismatched:
        name, (theirs, ours) = next(iter(mismatched.items()))
        return (f'no mask of the source fits the target: {len(mismatched)} tensors have another '
                f'shape, the first is {name}: {theirs} in the source, {ours} in the target. Is it '
                'the ticket of a wider or deeper model?')
    return (f'no mask of the source finds a place in the target with the mapping {mapping!r}: '
            f'names there look like {names[0]!r}, here like {own[0]!r}. Where a prefix differs, '
            r"give rules: mapping=[(r'^PREFIX\.(.+)$', r'backbone.\1')]")


def _missing(own: Iterable[str], places: Iterable[str], mismatched: Container[str]) -> List[str]:
    """Names that got nothing, in the parts of the target that received something."""
    places = set(places)
    parts = {part_of(place) for place in places}
    return [n for n in own if part_of(n) in parts and n not in places and n not in mismatched]
