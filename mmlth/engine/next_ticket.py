"""Write the ticket that a training leaves to the next."""
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from mmengine.runner import Runner

from mmlth.core import Ticket, paths
from mmlth.core import mask as masks
from mmlth.core.layers import layers_of
from mmlth.core.mask import Mask

from .mask_sources import MaskSource
from .ranks import on_rank_0
from .specs import PruneSpec
from .start_weights import base_rate, find_start
from .starts import Start
from .training import Training

# Of a dense model that was trained elsewhere, in place of what this training would say.
_TOLD = ('iterations', 'learning_rates', 'base_learning_rate')


@on_rank_0
def write_next_ticket(runner: Runner, training: Training, source: MaskSource, drawn: Ticket,
                      start: Start, point: Optional[Path], new: Dict[str, Tuple[int, ...]],
                      round: int, out: Path, told: Optional[Dict[str, Any]] = None,
                      set_at_end: bool = False) -> None:
    """Write the ticket of a mask, whole or not at all.

    Args:
        runner: That of the training.
        training: The training, at its end.
        source: Where the mask comes from.
        drawn: What the source has given.
        start: What the ticket starts from.
        point: The rewind point's file; None if the start does not need it.
        new: The shapes of the buffers of a new model.
        round: That trains the ticket.
        out: The ticket's file.
        told: By a dense model that was trained elsewhere, :func:`~mmlth.engine.taking.take_dense`.
            Default: None.
        set_at_end: Whether the weights are others than those of the last checkpoint, as a hook has
            set them behind it. Default: False.
    """
    weights, notes, origin = find_start(training.model, start, drawn.mask, point, new)
    if weights:
        weights.update(drawn.state)
    meta = dict(
        config=Path(runner.cfg.filename).name if runner.cfg.filename else None,
        checkpoint=str(training.folder / paths.FINAL), start=origin,
        iterations=training.iteration, seed=runner.seed, round=round, control=None,
        learning_rates=[g['lr'] for g in runner.optim_wrapper.optimizer.param_groups],
        base_learning_rate=base_rate(runner.optim_wrapper))
    if told is not None:
        meta.update({key: told[key] for key in _TOLD}, dense=told)
    if set_at_end:
        meta['set_at_end'] = True
    if weights and start.given is not None:
        meta['mode'] = start.given
    Ticket.draw(drawn.mask, weights, {**meta, **source.meta(drawn), **notes}, origin).save(out)
    training.logger.info(
        f'Ticket of round {round} drawn: {masks.pruned(drawn.mask):,} of '
        f'{masks.size(drawn.mask):,} weights in scope pruned, start weights from {origin}, '
        f'written to {out}')


def warn_of_layers(prune: PruneSpec, training: Training, mask: Mask) -> None:
    """Say what a user may not have meant."""
    empty = masks.emptied(mask)
    if empty:
        training.logger.warning(
            f'Nothing survives of {len(empty)} layer(s): {", ".join(empty)}. If they matter, '
            'set PruneHook(floor=0.1) or leave them out of the scope.')
    allocation = prune.drawing.allocation
    remark = allocation.remark and allocation.remark(mask, layers_of(training.model))
    if remark:
        training.logger.warning(remark)
