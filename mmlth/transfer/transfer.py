"""Carry masks, and weights, over to another model; nothing is dropped silently."""
from dataclasses import dataclass
from typing import Dict, List, Sequence, Union

from torch import nn

from mmlth.core import Ticket
from mmlth.core import state as states
from mmlth.core.errors import UserError
from mmlth.core.report import sparsity_report

from .mapping import Rule, match_names
from .source import Source


@dataclass
class Report:
    """What became of each tensor.

    Args:
        origin: Where the masks come from, in words.
        matched: Source name -> target name.
        left_out: Names of the source that have no place in the target.
        missing: Names of the target, in modules that received something, that got nothing.
        mismatched: Target name -> (source's shape, target's shape); not transferred.
        masked: How many masks were transferred.
        weights: Whether weights were transferred, not only masks.
        scope_sparsity: Fraction of zeros in the masked parameters of the target.
        network_sparsity: Fraction of zeros over all its parameters.
    """
    origin: str
    matched: Dict[str, str]
    left_out: List[str]
    missing: List[str]
    mismatched: Dict[str, tuple]
    masked: int
    weights: bool
    scope_sparsity: float
    network_sparsity: float

    def to_text(self) -> str:
        """For people."""
        what = 'masks and weights' if self.weights else 'masks only'
        lines = [f'{what}: {len(self.matched)} tensors matched, {self.masked} of them with a mask '
                 f'({self.origin})',
                 f'scope sparsity {self.scope_sparsity:.2%}, network sparsity '
                 f'{self.network_sparsity:.2%}']
        for label, names in (
                ('left out, no place in the target', self.left_out),
                ('in the target, but not in the source', self.missing),
                ('other shape, left out', [f'{n} ({a} in the source, {b} in the target)'
                                           for n, (a, b) in self.mismatched.items()])):
            if names:
                lines.append(f'{label}: {len(names)}')
                lines += [f'    {name}' for name in names]
        return '\n'.join(lines)


def transfer(source: Source, model: nn.Module, mapping: Union[str, Sequence[Rule]] = 'backbone',
             weights: bool = True, strict: bool = True):
    """The ticket of ``model`` that ``source`` gives (the paper, 4.2 and Table 4).

    Args:
        source: From :func:`read_source`.
        model: The bare target model.
        mapping: A key of ``MAPPINGS`` or rules. Default: ``'backbone'``.
        weights: Take the weights over too; else the ticket is only a mask. Default: True.
        strict: A tensor of another shape is an error, else it is reported. Default: True.

    Returns:
        tuple[Ticket, Report]: The ticket's state holds what was transferred, the rest of the
        target keeps its own initialisation (``TicketHook(strict=False)``).

    Raises:
        UserError: No mask finds a place, or shapes differ.
    """
    own = states.unique(model)
    params = dict(model.named_parameters())
    names = list(dict.fromkeys([*source.weights, *source.mask]))
    pairs = match_names(names, list(own), mapping)
    shapes = {n: tuple((source.weights.get(n, source.mask.get(n))).shape) for n in pairs}
    mismatched = {pairs[n]: (shape, tuple(own[pairs[n]].shape)) for n, shape in shapes.items()
                  if shape != tuple(own[pairs[n]].shape)}
    _check_shapes(mismatched, len(pairs), strict)
    pairs = {n: place for n, place in pairs.items() if place not in mismatched}
    mask = {place: source.mask[n] for n, place in pairs.items()
            if n in source.mask and place in params}
    if not mask:
        raise UserError(
            f'no mask of the source finds a place in the target with the mapping {mapping!r}: '
            f'names there look like {names[0]!r}, here like {next(iter(own))!r}')
    state = {place: source.weights[n] for n, place in pairs.items()
             if weights and n in source.weights}
    report = sparsity_report(model, mask)
    meta = dict(transferred=True, mapping=mapping if isinstance(mapping, str) else 'own rules',
                masks=source.origin, start='the source' if state else None)
    return Ticket.draw(mask, state, meta, 'the source'), Report(
        source.origin, pairs, [n for n in names if n not in pairs and n not in shapes],
        _missing(own, pairs.values(), mismatched), mismatched, len(mask), bool(state),
        report['scope']['sparsity'], report['network']['sparsity'])


def _check_shapes(mismatched: Dict[str, tuple], matched: int, strict: bool) -> None:
    if mismatched and strict:
        name, (theirs, ours) = next(iter(mismatched.items()))
        raise UserError(
            f'{len(mismatched)} of {matched} tensors have another shape in the target, the first '
            f'is {name}: {theirs} in the source, {ours} in the target. Is it the ticket of a '
            'wider or deeper model? strict=False leaves such tensors out.')


def _missing(own, places, mismatched) -> List[str]:
    """Names that got nothing, in the parts of the target that received something."""
    places = set(places)
    parts = {_part(place) for place in places}
    return [n for n in own if _part(n) in parts and n not in places and n not in mismatched]


def _part(name: str) -> str:
    """``backbone``, ``neck``, ``roi_head.shared_head``, ..."""
    return '.'.join(name.split('.')[:2 if name.startswith('roi_head.') else 1])
