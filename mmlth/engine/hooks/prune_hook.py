"""Draw the next ticket at the end of a training."""
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmlth.core import Drawing, paths
from mmlth.core import state as states
from mmlth.core.errors import UserError
from mmlth.core.scope import ScopeSpec
from mmlth.core.ticket import check_types
from mmlth.registry import HOOKS

from ..early_bird import found_early
from ..hook_configs import arguments_of
from ..next_ticket import warn_of_layers, write_next_ticket
from ..passes import iterations_of_pass
from ..ranks import together
from ..runners import bare_model, check_model_wrapper
from ..specs import PruneSpec, drawing_settings
from ..starts import Rewound, Start, Trained, start_of
from ..taking import take_dense
from ..training import Training
from .last_saved_hook import LastSavedHook
from .rewind_hook import rewind_hook


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
            first iteration. Default: None, ``'start'`` for SNIP, GraSP and SynFlow and with
            an ``update``.
        dense: Train the dense model. ``False`` with ``at='start'`` ends that training before it
            begins. A checkpoint (a path, or a URL as mmengine takes it) is the dense model, of
            which the mask is drawn: it is evaluated and not trained. See
            :mod:`mmlth.engine.given`. Default: True.
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
            :class:`~mmlth.engine.mask_sources.TransferSpec`. The source is read and matched
            before the training. The ticket starts from the rewind point, overwritten
            with the source's weights if ``weights``. The settings above that draw masks must
            be left out; ``dense=False`` is possible. Default: None.
        update: How the mask changes in the one training that follows: ``dict(type=...)`` with
            ``'gradual'``, ``'set'`` or ``'rigl'`` and its arguments (``interval``, ``begin``,
            ``end``; see :mod:`mmlth.engine.updates`). The ticket's own mask is what that begins
            with. Default: None, the mask is static.
        round: The round that this training is; a ``LotteryRunner`` sets it. Default: 0.
        rewind: The rewind point's file; a ``LotteryRunner`` sets it. Default: None, what
            the training's own RewindHook saves (its ``out``), unless it rewinds the schedule alone.
        start: How the ticket starts from the rewind point, as RewindHook's ``mode``; a
            ``LotteryRunner`` sets it. Default: None, as the training's own RewindHook says, else
            with the weights of the point as they are.
        out: Where the ticket goes; a ``LotteryRunner`` sets it. Default: None,
            ``next_ticket.safetensors`` in the work dir.

    Note:
        VERY_LOW priority: hooks that change weights at the end of training come first.
    """
    priority = 'VERY_LOW'
    opens = Drawing

    def __init__(self,
                 sparsity: Union[None, float, Sequence[float]] = None,
                 rounds: int = 1,
                 scope: ScopeSpec = None,
                 frozen: bool = True,
                 at: Optional[str] = None,
                 dense: Union[bool, str] = True,
                 control: Optional[str] = None,
                 transfer: Optional[Dict[str, Any]] = None,
                 update: Union[None, str, Dict[str, Any]] = None,
                 round: int = 0,
                 rewind: Optional[str] = None,
                 start: Any = None,
                 out: Optional[str] = None,
                 **drawing: Any):
        how = dict(drawing_settings(drawing), sparsity=sparsity, rounds=rounds, at=at, scope=scope,
                   frozen=frozen)
        self.given = dict(how, dense=dense, control=control, transfer=transfer, update=update)
        self.spec = PruneSpec.parse(self.given, not_default(type(self), how))
        self.given.update({key: getattr(self.spec.drawing, key).name for key in self.spec.methods})
        if not 0 <= round < self.spec.rounds:
            raise UserError(
                f'PruneHook: round {round} draws no ticket, there are '
                f'{self.spec.rounds} after the dense one')
        self.round = round
        self.rewind = rewind
        self.own_start = None if start is None else start_of(start)
        self.out = out
        self.buffers: Dict[str, Tuple[int, ...]] = {}       # their shapes in a new model
        self.told: Optional[Dict[str, Any]] = None          # by a given dense model
        self.saved: Optional[LastSavedHook] = None          # of the training, once it runs

    def before_run(self, runner: Runner) -> None:
        """Note the buffers before the first forward makes some, or lets them grow."""
        self.buffers = states.buffer_shapes(bare_model(runner.model))
        self.saved = LastSavedHook.added(runner)

    def before_train(self, runner: Runner) -> None:
        """Find what is wrong before the training, not after it; keep a mask of its start."""
        check_model_wrapper(runner.model)
        check_types(states.unique(bare_model(runner.model)), 'the model')
        if self.round == 0 and self.spec.given is not None:
            self.told = take_dense(self.spec.given, runner)
        self.spec.source(self.round).before(Training.of(runner, self.round))
        with together():
            self._check_point(runner)
        if self.spec.update is not None and self.start(runner).length is None:
            self.spec.update.times(runner.max_iters, iterations_of_pass(runner))
        if self.round == 0 and self.spec.dense is not True:
            runner.train_loop.stop_training = True

    def after_train(self, runner: Runner) -> None:
        """Draw the ticket and write it."""
        training = Training.of(runner, self.round)
        source = self.spec.source(self.round, found_early(runner))
        drawn, start = source.ticket(training), self.start(runner)
        with together():
            point = self.point(runner) if needs_point(start) else None
        write_next_ticket(runner, training, source, drawn, start, point, self.buffers,
                          self.round + 1, self.path(runner), self.told,
                          self.saved is not None and self.saved.drawn_of_others(runner))
        warn_of_layers(self.spec, training, drawn.mask)

    def path(self, runner: Runner) -> Path:
        """Where the ticket is written."""
        return Path(self.out or Path(runner.work_dir) / paths.NEXT_TICKET)

    def start(self, runner: Runner) -> Start:
        """What the ticket starts from."""
        beside, ticket = rewind_hook(runner), self.own_start
        if ticket is None and beside is not None and (
                self.rewind is None or beside.spec.start.rewinds):
            ticket = beside.spec.start
        if ticket is None:
            ticket = Trained() if self.rewind is None else Rewound()
        return self.spec.start(self.round + 1, ticket)

    def point_path(self, runner: Runner) -> Path:
        """The rewind point's file, which may not be there yet."""
        beside = rewind_hook(runner)
        return Path(self.rewind or Path(runner.work_dir) / (beside.out if beside else paths.REWIND))

    def point(self, runner: Runner) -> Path:
        """The rewind point's file, which must be there."""
        beside = rewind_hook(runner)
        if beside is not None and beside.saves and beside.iteration > runner.iter:
            raise UserError(
                f'PruneHook: {getattr(runner, "ended_by", None) or "a hook"} ended the training '
                f'after {runner.iter} iterations, before the rewind point {beside.spec.to!r} '
                f'(iteration {beside.iteration}): rewind to an earlier point, or leave that hook '
                'out')
        return there(self.point_path(runner))

    def _check_point(self, runner: Runner) -> None:
        """A point that this training does not save must be there already."""
        path, beside = self.point_path(runner).absolute(), rewind_hook(runner)
        own = beside and (Path(runner.work_dir) / beside.out).absolute()
        if needs_point(self.start(runner)) and path != own:
            there(path)


def needs_point(start: Start) -> bool:
    """Whether a ticket takes weights of the rewind point."""
    return start.rewinds and not start.initialises


def there(point: Path) -> Path:
    """The rewind point's file, which must be there."""
    if not point.is_file():
        raise UserError(
            f'PruneHook: there is no rewind point {point}; it is saved by the RewindHook '
            'of the dense training. Run that training anew.')
    return point


def not_default(kind: type, given: Dict[str, Any]) -> Dict[str, Any]:
    """Those arguments of a PruneHook that differ from the defaults of its class."""
    defaults = {**arguments_of(PruneHook), **arguments_of(kind)}
    return {key: value for key, value in given.items() if value != defaults[key]}
