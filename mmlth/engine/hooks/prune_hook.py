"""Draw the next ticket at the end of a training."""
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from mmengine.hooks import Hook

from mmlth.core import paths, round_sparsities, select
from mmlth.core import state as states
from mmlth.core.drawing.allocation import check_room
from mmlth.core.drawing.control import check_control
from mmlth.core.drawing.draw import check_settings
from mmlth.core.drawing.scores import PROBED, default_iterations
from mmlth.core.errors import UserError
from mmlth.core.scope import ScopeSpec
from mmlth.registry import HOOKS

from ..drawing import costs_of_scope, draw_at_start, draw_ticket
from ..hook_configs import arguments_of
from ..kernel_check import trial_mask, warn_of_refilled, warn_of_unmaskable
from ..runners import bare_model, check_model_wrapper
from ..transferring import TransferSpec, transfer_at_start


@HOOKS.register_module()
class PruneHook(Hook):
    """Score the trained weights and draw the ticket of the next round.

    Works under a stock ``Runner`` too, at the end of any training: the ticket then
    starts from the rewind point if a :class:`RewindHook` saved one in the same work
    dir, else from the trained weights.

    Args:
        sparsity: The final sparsity within the scope, in [0, 1), or a list with one
            value per round. With ``allocation='compute'`` it is the share of the scope's
            multiply-adds that goes. Default: None, 0.8.
        rounds: Rounds of training and pruning after the dense one. 1 is one-shot.
            Default: 1.
        allocation: How sparsity is spread over layers: ``'global'``, ``'layerwise'``,
            ``'erk'``, ``'compute'`` (the least squared magnitude lost for the multiply-adds that
            go, counted on the first validation image) or a pattern as ``'2:4'``. Default:
            ``'global'``.
        score: What a weight is worth: ``'magnitude'``, ``'random'``, or with real batches of
            the train loader ``'snip'``, ``'grasp'`` or ``'synflow'``. Default: ``'magnitude'``.
        batches: How many batches those scores look at. Default: 1.
        iterations: Steps of one drawing, each on the weights that the step before has left.
            Default: None, 100 for SynFlow as in its paper, else 1.
        at: When the mask is drawn: ``'end'`` of the training, or its ``'start'``, before the
            first update. Default: None, ``'start'`` for SNIP, GraSP and SynFlow.
        dense: With ``at='start'``, train the dense model nevertheless, to compare with.
            ``False`` ends that training before it begins. Default: True.
        control: Instead of the last ticket, train what it must be compared with before it is
            called winning: ``'fresh_weights'`` (its mask, but newly initialised weights, and
            no pretrained ones), ``'random_mask'`` (its densities per layer),
            ``'shuffled_mask'`` (its mask, filters and input channels of each layer permuted)
            or ``'dense'`` (nothing is pruned, the weights go on through as many trainings).
            Default: None.
        floor: Fraction of each layer's weights that survives in any case. Weights of the last
            layers are small in many detectors, and global pruning then empties their box
            regression; a warning says so. Default: 0, as the paper.
        scope: Group names, or ``dict(include=[regex], exclude=[regex])`` on full
            parameter names; ``tools/scope.py`` prints what a model has. Default: None,
            every weight of a convolution or linear layer.
        frozen: Prune weights with ``requires_grad=False`` too, as the paper's code
            does. Default: True.
        transfer: Take the ticket of another model instead of drawing one (the paper, 4.2 and
            Table 4): ``dict(source=FILE, mapping='backbone', weights=True, strict=True,
            sparsity=None, zeros=False)``, see
            :class:`~mmlth.engine.transferring.TransferSpec`. The source is read and matched
            before the training. The ticket starts from the rewind point, overwritten
            with the source's weights if ``weights``. The settings above that draw masks must
            be left out; ``dense=False`` is possible. Default: None.
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
                 sparsity: Union[None, float, Sequence[float]] = None,
                 rounds: int = 1,
                 allocation: str = 'global',
                 score: str = 'magnitude',
                 batches: int = 1,
                 iterations: Optional[int] = None,
                 at: Optional[str] = None,
                 dense: bool = True,
                 control: Optional[str] = None,
                 floor: float = 0.0,
                 scope: ScopeSpec = None,
                 frozen: bool = True,
                 transfer: Optional[Dict[str, Any]] = None,
                 round: int = 0,
                 rewind: Optional[str] = None,
                 out: Optional[str] = None):
        drawing = dict(sparsity=sparsity, rounds=rounds, allocation=allocation, score=score,
                       batches=batches, iterations=iterations, at=at, floor=floor, scope=scope,
                       frozen=frozen)
        self.given = dict(drawing, dense=dense, control=control, transfer=transfer)
        if transfer is not None:
            transfer = TransferSpec.parse(transfer, control, not_default(type(self), drawing))
            at = 'start'
        sparsities = round_sparsities(0.8 if sparsity is None else sparsity, rounds)
        if not 0 <= round < len(sparsities) - 1:
            raise UserError(
                f'PruneHook: round {round} draws no ticket, there are '
                f'{len(sparsities) - 1} after the dense one')
        iterations = iterations or default_iterations(score)
        for value in sparsities[1:]:
            check_settings(value, score, allocation, floor, iterations)
        at = at or ('start' if score in PROBED else 'end')
        check_timing(at, dense, len(sparsities) - 1, batches)
        if control is not None:
            check_control(control)
        self.dense_control = control == 'dense'     # in every round, not in the last alone
        self.sparsities = sparsities                # of rounds 0, 1, ...
        self.sparsity = 0.0 if self.dense_control else sparsities[round + 1]
        self.last_sparsity = 0.0 if self.dense_control else sparsities[-1]
        self.allocation = allocation
        self.score = score
        self.batches = batches
        self.iterations = iterations
        self.at = at
        self.dense = dense
        self.control = control if round == len(sparsities) - 2 else None
        self.floor = floor
        self.scope = scope
        self.frozen = frozen
        self.transfer = transfer
        self.round = round
        self.rewind = rewind
        self.out = out
        self.buffers: Dict[str, Tuple[int, ...]] = {}       # their shapes in a new model

    def before_run(self, runner) -> None:
        """Note the buffers before the first forward makes some, or lets them grow."""
        self.buffers = states.buffer_shapes(bare_model(runner.model))

    def before_train(self, runner) -> None:
        """Find what is wrong before the training, not after it; draw at the start."""
        check_model_wrapper(runner.model)
        model = bare_model(runner.model)
        if self.transfer is not None:
            transfer_at_start(self, runner)
        else:
            weights = select(model, self.scope, self.frozen)
            costs = costs_of_scope(runner, weights) if self.allocation == 'compute' else {}
            check_room(weights, self.last_sparsity, self.allocation, self.floor, costs)
            if self.round == 0:     # a ticket is looked at by its TicketHook
                warn_of_unmaskable(runner.logger, model)
                warn_of_refilled(runner.logger, model, trial_mask(weights))
            if self.at == 'start':
                draw_at_start(self, runner)
        if self.at == 'start':
            runner.train_loop.stop_training |= not self.dense

    def after_train(self, runner) -> None:
        """Draw the ticket and write it."""
        draw_ticket(self, runner)

    def path(self, runner) -> Path:
        """Where the ticket is written."""
        return Path(self.out or Path(runner.work_dir) / paths.NEXT_TICKET)


def not_default(kind: type, given: Dict[str, Any]) -> Dict[str, Any]:
    """Those arguments of a PruneHook that differ from the defaults of its class."""
    defaults = {**arguments_of(PruneHook), **arguments_of(kind)}
    return {key: value for key, value in given.items() if value != defaults[key]}


def check_timing(at: str, dense: bool, rounds: int, batches: int) -> None:
    """Raise a UserError for settings that contradict each other."""
    if at not in ('start', 'end'):
        raise UserError(f"PruneHook: at must be 'start' or 'end' of the training, got {at!r}")
    if at == 'start' and rounds > 1:
        raise UserError(
            f"PruneHook: a mask drawn at the start needs no training between rounds, got "
            f"{rounds} rounds; take rounds=1, and iterations for several steps of one drawing")
    if at == 'end' and not dense:
        raise UserError("PruneHook: dense=False needs a mask drawn at the start: at='start'")
    if not isinstance(batches, int) or batches < 1:
        raise UserError(f'PruneHook: batches must be a number of batches, got {batches!r}')
