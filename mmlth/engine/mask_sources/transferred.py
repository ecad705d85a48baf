"""A lottery whose ticket comes from another model (the paper, 4.2 and Table 4)."""
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

from mmengine.config import Config
from mmengine.dist import is_main_process
from torch import nn

from mmlth.core import Control, Ticket, paths
from mmlth.core.errors import UserError
from mmlth.transfer import Outcome, match_names, read_source, transfer
from mmlth.transfer.mapping import Rule

from ..kernel_check import warn_of_refilled
from ..ranks import together
from ..reading import file_digest
from ..training import Training
from .drawn import kept
from .source import MaskSource


@dataclass(frozen=True)
class TransferSpec:
    """What a PruneHook's ``transfer`` says.

    Args:
        source: A ticket, or a checkpoint with masks, with zeros, or dense.
        mapping: A key of ``mmlth.transfer.MAPPINGS`` or rules. Default: ``'backbone'``.
        weights: Start from the source's weights where it has some. Default: True.
        strict: All shapes agree, and no part of the target is left half filled. Default: True.
        sparsity: Prune a dense source to this fraction. Default: None.
        zeros: Take the source's zeros for its mask, however few they are. Default: False, only
            where they are no dense training's.
    """
    source: str
    mapping: Union[str, Sequence[Rule]] = 'backbone'
    weights: bool = True
    strict: bool = True
    sparsity: Optional[float] = None
    zeros: bool = False

    @classmethod
    def parse(cls, transfer: Mapping[str, Any], control: Optional[Control],
              ignored: Mapping[str, Any]) -> 'TransferSpec':
        """Check it against the hook's other arguments.

        Args:
            transfer: As in the config.
            control: The hook's control.
            ignored: Those other arguments that were given and would be ignored.

        Raises:
            UserError: An argument is unknown, or two contradict each other.
        """
        known = [field.name for field in fields(cls)]
        if not isinstance(transfer, Mapping) or 'source' not in transfer or (
                set(transfer) - set(known)):
            raise UserError(
                f'PruneHook: transfer is a dict of {", ".join(known)}, of which source is '
                f'needed; got {dict(transfer) if isinstance(transfer, Mapping) else transfer!r}')
        if ignored:
            raise UserError(
                f'PruneHook: the mask is transferred, so that {_listed(ignored)} would be '
                'ignored: leave it out, or leave transfer out')
        spec = cls(**{**transfer, 'source': os.path.expanduser(transfer['source'])})
        match_names([], [], spec.mapping)       # its form
        if control is not None and (control.every_round or spec.weights and control.elsewhere):
            raise UserError(
                f'PruneHook: the control {control.name!r} cannot be had of this transfer: '
                + ('it prunes nothing' if control.every_round else
                   'the source has no weights but those under its own mask; set '
                   'transfer.weights=False to compare masks alone'))
        return spec

    def read(self, model: nn.Module) -> Tuple[Ticket, Outcome]:
        """The ticket that the source gives ``model``: its own mask, no control's."""
        source = read_source(self.source, self.sparsity, self.zeros)
        if self.weights and not source.weights:
            raise UserError(f'{self.source} is only a mask: set transfer.weights=False')
        ticket, outcome = transfer(source, model, self.mapping, self.weights, self.strict)
        ticket.meta['transfer'] = self.plain()
        return ticket, outcome

    def plain(self) -> Dict[str, Any]:
        """For a ticket's meta: plain values, and what the source's content was."""
        mapping = self.mapping if isinstance(self.mapping, str) else [
            [pattern, [places] if isinstance(places, str) else list(places)]
            for pattern, places in self.mapping]
        return {**asdict(self), 'mapping': mapping, 'source': str(Path(self.source).absolute()),
                'sha256': file_digest(self.source)}


class Transferred(MaskSource):
    """The ticket of another model, carried over.

    Args:
        spec: Whose, and how.
    """
    at_start = True

    def __init__(self, spec: TransferSpec):
        self.spec = spec

    def words(self) -> str:
        """What is carried over from where."""
        spec = self.spec
        here = f', pruned on the way to {spec.sparsity:.0%}' if spec.sparsity is not None else ''
        weights = ('and weights are transferred, where it has them,' if spec.weights
                   else 'alone are transferred')
        return (f'Masks {weights} from {spec.source} (mapping {spec.mapping!r}{here}). Of all '
                'else:')

    def check(self, cfg: Config) -> None:
        """The file must exist before the first round begins."""
        # A lottery that is resumed has kept what it needs.
        if not cfg.get('resume') and not Path(self.spec.source).is_file():
            raise UserError(
                f'PruneHook: there is no ticket or checkpoint {self.spec.source} to transfer '
                f'(current folder: {os.getcwd()}). Train the model that it is of first, or name '
                'another file with --cfg-options default_hooks.prune.transfer.source=...')

    def before(self, training: Training) -> None:
        """Carry the ticket over, and keep it for the end of the training; rank 0 writes."""
        path = training.folder / paths.START_MASK
        with together():
            if training.iteration > 0 and path.is_file():       # the source may be gone by now
                return
            ticket, outcome = self.spec.read(training.model)
            training.logger.info(f'{self.spec.source} is transferred; {outcome.to_text()}')
            warn_of_refilled(training.logger, training.model, ticket.mask)
            if is_main_process():
                ticket.save(path)

    def ticket(self, training: Training) -> Ticket:
        """What was carried over: the mask, and weights if they are transferred too."""
        return kept(training)

    def meta(self, ticket: Ticket) -> Dict[str, Any]:
        """Whose ticket it is; nothing was drawn."""
        return dict(transfer=ticket.meta['transfer'])


def _listed(values: Mapping[str, Any]) -> str:
    return ', '.join(f'{key}={value!r}' for key, value in values.items())
