"""Draw the next ticket at the end of a training."""
from pathlib import Path
from typing import Optional, Sequence, Union

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner.checkpoint import _load_checkpoint

from mmlth.core import Ticket, paths, round_sparsities, select
from mmlth.core import mask as masks
from mmlth.core import state as states
from mmlth.core.errors import UserError
from mmlth.core.rewind import trained_weights
from mmlth.core.scope import ScopeSpec
from mmlth.registry import HOOKS

from .rewind_hook import RewindHook
from .ticket_hook import TicketHook, bare_model


@HOOKS.register_module()
class PruneHook(Hook):
    """Score the trained weights and draw the ticket of the next round.

    Works under a stock ``Runner`` too, at the end of any training: the ticket then
    starts from the rewind point if a :class:`RewindHook` saved one in the same work
    dir, else from the trained weights.

    Args:
        sparsity: The final sparsity within the scope, in [0, 1), or a list with one
            value per round.
        rounds: Rounds of training and pruning after the dense one. 1 is one-shot.
            Default: 1.
        allocation: ``'global'`` or ``'layerwise'``. Default: ``'global'``.
        score: ``'magnitude'``. Default: ``'magnitude'``.
        floor: Fraction of each layer's weights that survives in any case. Weights of the last
            layers are small in many detectors, and global pruning then empties their box
            regression; a warning says so. Default: 0, as the paper.
        scope: Group names, or ``dict(include=[regex], exclude=[regex])`` on full
            parameter names; ``tools/scope.py`` prints what a model has. Default: None,
            every weight of a convolution or linear layer.
        frozen: Prune weights with ``requires_grad=False`` too, as the paper's code
            does. Default: True.
        round: The round that this training is; a ``LotteryRunner`` sets it. Default: 0.
        rewind: The rewind point's file; a ``LotteryRunner`` sets it. Default: None, what
            the training's own RewindHook saves, unless it rewinds the schedule alone.
        out: Where the ticket goes; a ``LotteryRunner`` sets it. Default: None,
            ``next_ticket.safetensors`` in the work dir.

    Note:
        VERY_LOW priority: hooks that change weights at the end of training come first.
    """
    priority = 'VERY_LOW'

    def __init__(self,
                 sparsity: Union[float, Sequence[float]] = 0.8,
                 rounds: int = 1,
                 allocation: str = 'global',
                 score: str = 'magnitude',
                 floor: float = 0.0,
                 scope: ScopeSpec = None,
                 frozen: bool = True,
                 round: int = 0,
                 rewind: Optional[str] = None,
                 out: Optional[str] = None):
        sparsities = round_sparsities(sparsity, rounds)
        if not 0 <= round < len(sparsities) - 1:
            raise UserError(
                f'PruneHook: round {round} draws no ticket, there are '
                f'{len(sparsities) - 1} after the dense one')
        self.sparsity = sparsities[round + 1]
        masks.check_settings(sparsities[-1], score, allocation, floor)
        self.allocation = allocation
        self.score = score
        self.floor = floor
        self.scope = scope
        self.frozen = frozen
        self.round = round
        self.rewind = rewind
        self.out = out

    def before_train(self, runner) -> None:
        """Find unknown groups before the training, not after it."""
        select(bare_model(runner.model), self.scope, self.frozen)

    def after_train(self, runner) -> None:
        """Draw the ticket and write it."""
        draw_ticket(self, runner)

    def path(self, runner) -> Path:
        """Where the ticket is written."""
        return Path(self.out or Path(runner.work_dir) / paths.NEXT_TICKET)


@master_only
def draw_ticket(hook: PruneHook, runner) -> None:
    """Draw the ticket of the trained model in ``runner`` as ``hook`` says."""
    # An EarlyBirdHook that ended the training has the mask already.
    found = [h.early_bird_mask(runner) for h in runner.hooks if hasattr(h, 'early_bird_mask')]
    mask = next(filter(None, found), None) or draw_mask(hook, runner)
    model, rewind = bare_model(runner.model), find_rewind_point(hook, runner)
    if rewind is None:
        start, source = states.snapshot(model), 'the trained weights'
    else:
        own, source = states.unique(model), str(rewind)
        saved = trained_weights(_load_checkpoint(source, map_location='cpu'))
        start = {n: saved[n] for n in own if n in saved}
        states.check_same(own, start, source)
    out = hook.path(runner)
    Ticket.draw(mask, start, meta_of(hook, runner, source), source).save(out)
    runner.logger.info(
        f'Ticket of round {hook.round + 1} drawn: {masks.pruned(mask):,} of '
        f'{masks.size(mask):,} weights in scope pruned, start weights from {source}, '
        f'written to {out}')
    empty = masks.emptied(mask)
    if empty:
        runner.logger.warning(
            f'Nothing survives of {len(empty)} layer(s): {", ".join(empty)}. If they matter, '
            'set PruneHook(floor=0.1) or leave them out of the scope.')


def draw_mask(hook: PruneHook, runner) -> masks.Mask:
    """The mask that ``hook`` says of the weights as they are now."""
    weights = select(bare_model(runner.model), hook.scope, hook.frozen)
    earlier = next((h.ticket.mask for h in runner.hooks if isinstance(h, TicketHook)), None)
    device = next(iter(weights.values())).device
    earlier = earlier and {n: m.to(device) for n, m in earlier.items()}
    return masks.draw(weights, hook.sparsity, score=hook.score,
                      allocation=hook.allocation, floor=hook.floor, earlier=earlier)


def find_rewind_point(hook: PruneHook, runner) -> Optional[Path]:
    """The rewind point's file, None if the ticket starts from the trained weights."""
    own = next((h for h in runner.hooks if isinstance(h, RewindHook)), None)
    if hook.rewind is None and (own is None or own.mode == 'lr'):
        return None
    path = Path(hook.rewind or Path(runner.work_dir) / paths.REWIND)
    if not path.is_file():
        raise UserError(
            f'PruneHook: there is no rewind point {path}; it is saved by the RewindHook '
            'of the dense training. Run that training anew.')
    return path


def meta_of(hook: PruneHook, runner, source: str) -> dict:
    """Where a ticket comes from, in plain values."""
    scope = hook.scope
    return dict(
        config=Path(runner.cfg.filename).name if runner.cfg.filename else None,
        checkpoint=str(Path(runner.work_dir) / paths.FINAL), start=source,
        iterations=runner.iter, seed=runner.seed, round=hook.round + 1,
        sparsity=hook.sparsity, allocation=hook.allocation, score=hook.score,
        floor=hook.floor, frozen=hook.frozen,
        scope=({k: list(v) for k, v in scope.items()} if isinstance(scope, dict)
               else scope if scope is None or isinstance(scope, str) else list(scope)))
