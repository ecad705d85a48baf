"""What a PruneHook is set to."""
from dataclasses import dataclass, fields
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from mmlth.core import Control, Drawing, Scope, Ticket, round_sparsities
from mmlth.core.drawing.control import find_control
from mmlth.core.errors import UserError
from mmlth.registry import ALLOCATIONS, SCORES, written

from ..mask_sources import (Controlled, Drawn, DrawnAtStart, FoundEarly, Full, MaskSource,
                            Transferred, TransferSpec)
from ..methods import allocation_of, score_of
from ..starts import Start, start_of_control
from ..updates import MaskUpdate, settings_of, update_of

_SPARSITY = 0.8     # of a config that says none, and transfers no ticket


@dataclass(frozen=True)
class PruneSpec:
    """What a PruneHook is set to; its arguments say what each means.

    Args:
        sparsities: Of rounds 0..R; round 0 is dense.
        at: ``'start'`` or ``'end'``.
        methods: The score and the allocation as they were given, for another hook's arguments.
        dense: Whether the dense model is trained; or the checkpoint that is it already.
        transfer: Whose ticket is carried over; None if it is drawn.
        update: How the mask changes while the ticket trains; None if it is static.
        update_settings: What it was set to, by name; empty if there is none.
    """
    sparsities: Tuple[float, ...]
    scope: Scope
    drawing: Drawing
    methods: Mapping[str, Any]
    at: str
    dense: Union[bool, str]
    control: Optional[Control]
    transfer: Optional[TransferSpec]
    update: Optional[MaskUpdate]
    update_settings: Mapping[str, Any]

    @classmethod
    def parse(cls, given: Mapping[str, Any], ignored: Mapping[str, Any]) -> 'PruneSpec':
        """Check the hook's arguments.

        Args:
            given: All that are settings of a lottery, by name.
            ignored: Those that were given and would be ignored if a ticket is transferred.

        Raises:
            UserError: One is out of range, or two contradict each other.
        """
        transfer, control, at = (given[key] for key in ('transfer', 'control', 'at'))
        control = None if control is None else find_control(control)
        if transfer is not None:
            transfer, at = TransferSpec.parse(transfer, control, ignored), 'start'
        sparsity = _SPARSITY if given['sparsity'] is None else given['sparsity']
        sparsities = tuple(round_sparsities(sparsity, given['rounds']))
        drawing = Drawing(score_of(given['score']), allocation_of(given['allocation']), **{
            key: given[key] for key in ('floor', 'iterations', 'batches')})
        for value in sparsities[1:]:
            drawing.check(value)
        update = None if given['update'] is None else update_of(given['update'])
        at = at or ('start' if drawing.score.probed or update is not None else 'end')
        check_dense(given['dense'])
        check_timing(at, given['dense'], len(sparsities) - 1)
        spec = cls(sparsities, Scope(given['scope'], given['frozen']), drawing,
                   dict(score=written(SCORES, given['score']),
                        allocation=written(ALLOCATIONS, given['allocation'])), at, given['dense'],
                   control, transfer, update,
                   {} if update is None else settings_of(given['update']))
        spec.check_given()
        spec.check_update()
        return spec

    @property
    def rounds(self) -> int:
        """Number of the last round."""
        return len(self.sparsities) - 1

    @property
    def given(self) -> Optional[str]:
        """The checkpoint that is the dense model; None where round 0 trains it, or skips it."""
        return self.dense if isinstance(self.dense, str) else None

    def sparsity_of(self, round: int) -> float:
        """Of what a round trains."""
        every = self.control is not None and self.control.every_round
        return 0.0 if every else self.sparsities[round]

    def control_of(self, round: int) -> Optional[Control]:
        """The control that a round trains; None if it trains a ticket, or the dense model."""
        control = self.control
        if control is None or round < self.rounds and not (control.every_round and round > 0):
            return None
        return control

    def source(self, round: int, found: Optional[Ticket] = None) -> MaskSource:
        """Where the mask comes from that the training of a round leaves to the next.

        Args:
            round: From 0; the last one leaves none.
            found: The mask that was found early in it. Default: None.
        """
        kind = DrawnAtStart if self.at == 'start' else Drawn
        if self.update is not None and self.update.begins_dense:
            kind = Full
        source: MaskSource = (Transferred(self.transfer) if self.transfer is not None
                              else kind(self, round))
        if found is not None:
            source = FoundEarly(source, found)
        control = self.control if round + 1 == self.rounds else None
        return source if control is None else Controlled(source, control)

    def ticket_update(self) -> Optional[Dict[str, Any]]:
        """The ``update`` of the TicketHook that trains the ticket; None if its mask is static."""
        if self.update is None:
            return None
        return {**self.update_settings, **self.update.arguments(self)}

    def check_given(self) -> None:
        """Raise a UserError where the mask is drawn of what a given dense model has no more."""
        if self.given is not None and self.source(0).of_the_start:
            raise UserError(
                f'PruneHook: score={self.drawing.score.name!r} at={self.at!r} draws the mask '
                f"before the dense training, of weights that {self.given} no longer holds. "
                "at='end' draws it of the trained weights; dense=False trains its ticket without a "
                'dense model')

    def check_update(self) -> None:
        """Raise a UserError where the other settings do not allow the update."""
        if self.update is None:
            return
        twice = sorted(self.update_settings.keys() & self.update.arguments(self).keys())
        if twice:
            raise UserError(f'PruneHook: update has {", ".join(twice)}, which is set in the '
                            'PruneHook itself: leave it out of update')
        self.update.check(self)

    def start(self, round: int, ticket: Start) -> Start:
        """What a round starts from.

        Args:
            round: From 1.
            ticket: What a ticket starts from; a control may start from something else.
        """
        own = start_of_control(self.control_of(round))
        return ticket if own is None else own(ticket)


def drawing_settings(given: Mapping[str, Any]) -> Dict[str, Any]:
    """All settings of a drawing: those given, and the defaults of the others.

    Raises:
        UserError: One is unknown.
    """
    known = {field.name: field.default for field in fields(Drawing)}
    unknown = [key for key in given if key not in known]
    if unknown:
        raise UserError(f'PruneHook has no argument {unknown[0]!r}; how masks are drawn is said by '
                        f'{", ".join(known)}')
    return {**known, **given}


def check_dense(dense: Any) -> None:
    """Raise a UserError for a ``dense`` that is neither a choice nor a file."""
    if not isinstance(dense, (bool, str)) or dense == '':
        raise UserError(
            f'PruneHook: dense must be True, False or the path of a checkpoint, got {dense!r}')


def check_timing(at: str, dense: Union[bool, str], rounds: int) -> None:
    """Raise a UserError for settings that contradict each other."""
    if at not in ('start', 'end'):
        raise UserError(f"PruneHook: at must be 'start' or 'end' of the training, got {at!r}")
    if at == 'start' and rounds > 1:
        raise UserError(
            f"PruneHook: a mask drawn at the start needs no training between rounds, got "
            f"{rounds} rounds; take rounds=1, and iterations for several steps of one drawing")
    if at == 'end' and not dense:
        raise UserError("PruneHook: dense=False needs a mask drawn at the start: at='start'")
