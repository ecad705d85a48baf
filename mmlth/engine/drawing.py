"""Draw tickets: what a PruneHook does at the start or the end of a training."""
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from mmengine.dist import get_rank, is_main_process
from torch import Tensor

from mmlth.core import Ticket, checkpoint_file, draw, paths, select
from mmlth.core import mask as masks
from mmlth.core import state as states
from mmlth.core.drawing.control import control_mask
from mmlth.core.drawing.pattern import unpatterned
from mmlth.core.drawing.scores import PROBED
from mmlth.core.errors import UserError
from mmlth.core.layers import transposed
from mmlth.core.probe import Probe
from mmlth.core.state import trained_weights

from .costs import costs_in_training, uncalled
from .hooks.rewind_hook import RewindHook
from .hooks.ticket_hook import TicketHook
from .probe import make_probe
from .ranks import agreed, on_rank_0, together
from .runners import bare_model
from .transferring import carried

AGREEING = 0.5      # IoU, at least, of masks that should be the same


def draw_at_start(hook, runner) -> None:
    """Draw the mask before the first update and keep it for the end of the training.

    On every rank, as all that draws here; rank 0 writes.
    """
    path = Path(runner.work_dir) / paths.START_MASK
    drawn = draw_mask(hook, runner) if runner.iter == 0 else None
    with together():
        if not is_main_process():
            return
        if drawn is not None:
            Ticket(drawn.mask, {}, dict(drawn.meta, score=hook.score)).save(path)
            runner.logger.info(f'The mask is drawn before the training: {path}')
        elif not path.is_file():
            raise UserError(
                f'PruneHook: the training resumes at iteration {runner.iter}, but the mask drawn '
                f'before its start, {path}, is gone. Start the training anew.')


def draw_ticket(hook, runner) -> None:
    """Draw the ticket of the trained model in ``runner`` as ``hook`` says."""
    found = hook.at == 'start' or any(
        h.found for h in runner.hooks if hasattr(h, 'early_bird_mask'))
    write_ticket(hook, runner, None if found else draw_mask(hook, runner))


@on_rank_0
def write_ticket(hook, runner, drawn: Optional[Ticket]) -> None:
    """Write the ticket of ``drawn``, or of the mask that was found before."""
    drawn = find_mask(hook, runner, drawn)
    mask = drawn.mask
    start, notes, source = find_start(hook, runner)
    notes.update({key: drawn.meta[key] for key in ('costs',) if key in drawn.meta})
    if hook.transfer is not None and start:
        start.update(carried(runner).state)
    out = hook.path(runner)
    Ticket.draw(mask, start, {**meta_of(hook, runner, source), **notes}, source).save(out)
    runner.logger.info(
        f'Ticket of round {hook.round + 1} drawn: {masks.pruned(mask):,} of '
        f'{masks.size(mask):,} weights in scope pruned, start weights from {source}, '
        f'written to {out}')
    warn_of_layers(hook, runner, mask)


def find_start(hook, runner) -> Tuple[Dict[str, Tensor], Dict[str, Any], str]:
    """The start weights, what else a ticket's meta notes of the start, and where it is from.

    Noted are, if there are any: ``extra_state``, what modules keep beside tensors; and
    ``late_buffers``, the names of buffers that a new model lacks or has in another shape.
    """
    model, rewind = bare_model(runner.model), find_rewind_point(hook, runner)
    if hook.control == 'fresh_weights':
        return {}, {}, 'a new initialisation'
    own, buffers = states.unique(model), states.buffer_shapes(model)
    if rewind is None:
        start, saved, source = states.snapshot(model), model.state_dict(), 'the trained weights'
    else:
        source = str(rewind)
        saved = trained_weights(checkpoint_file.load(source))
        start = {name: saved[name] for name in own if name in saved}
        # Buffers may have been made, and have grown, since.
        expected = {name: start.get(name, tensor) if name in buffers else tensor
                    for name, tensor in own.items()
                    if name not in buffers or name in start or name in hook.buffers}
        states.check_same(expected, start, source)
    late = [name for name, tensor in start.items()
            if name in buffers and hook.buffers.get(name) != tuple(tensor.shape)]
    notes = dict(extra_state=states.extra_states(saved)[0], late_buffers=late)
    return start, {key: value for key, value in notes.items() if value}, source


def find_mask(hook, runner, drawn: Optional[Ticket]) -> Ticket:
    """The mask of the next ticket: found early, drawn at the start, or drawn now."""
    # An EarlyBirdHook that ended the training has the mask already.
    found = [h.early_bird_mask(runner) for h in runner.hooks if hasattr(h, 'early_bird_mask')]
    ticket = next(filter(None, found), None) or drawn
    if ticket is None:
        ticket = Ticket.load(Path(runner.work_dir) / paths.START_MASK)
    if hook.control:
        mask = control_mask(ticket.mask, hook.control, seed_of(hook, runner))
        ticket = replace(ticket, mask=mask)
    return ticket


def warn_of_layers(hook, runner, mask: masks.Mask) -> None:
    """Say what a user may not have meant."""
    empty = masks.emptied(mask)
    if empty:
        runner.logger.warning(
            f'Nothing survives of {len(empty)} layer(s): {", ".join(empty)}. If they matter, '
            'set PruneHook(floor=0.1) or leave them out of the scope.')
    whole = unpatterned(mask, hook.allocation, transposed(bare_model(runner.model)))
    if whole:
        runner.logger.warning(
            f'{len(whole)} layer(s) stay whole, their input channels are no multiple of the '
            f'pattern {hook.allocation}: {", ".join(whole)}')


def warn_of_noise(score: str, probe: Probe, runner) -> None:
    """Say how far the masks of two step sizes agree, at worst, if that is too little."""
    worst = min(probe.agreements, default=None)
    if worst is not None and worst.found < AGREEING:
        runner.logger.warning(
            f'{score}: masks that are drawn with two step sizes agree to an IoU of '
            f'{worst.found:.2f} (random masks: {worst.chance:.2f}): the loss is too rough for its '
            "curvature, and much of the mask is noise. Take more batches, or score='snip'.")


def draw_mask(hook, runner) -> Ticket:
    """The mask that ``hook`` says of the weights as they are now, the same on every rank.

    Returns:
        Ticket: Without weights. Its meta has the ``costs`` that the mask was drawn by, if any.
    """
    model = bare_model(runner.model)
    weights = select(model, hook.scope, hook.frozen)
    before = next((h.ticket for h in runner.hooks if isinstance(h, TicketHook)), None)
    device = next(iter(weights.values())).device
    earlier = before and {n: m.to(device) for n, m in before.mask.items()}
    probe, meta = make_probe(runner, hook.batches, seed_of(hook, runner)), {}
    if hook.allocation == 'compute':
        # All rounds are measured alike: what one has pruned is as much in the next.
        meta['costs'] = (before and before.meta.get('costs')) or costs_of_scope(runner, weights)
    mask = draw(weights, hook.sparsity, score=hook.score, allocation=hook.allocation,
                      floor=hook.floor, earlier=earlier, iterations=hook.iterations, probe=probe,
                      transposed=transposed(model), costs=meta.get('costs'))
    warn_of_noise(hook.score, probe, runner)
    return Ticket(agreed(mask, hook.score in PROBED), {}, meta)


def costs_of_scope(runner, weights: Mapping[str, Tensor]) -> Dict[str, float]:
    """Multiply-adds of one weight of each layer; a warning names those that are not reached."""
    counted = costs_in_training(runner)
    unreached = uncalled(counted, weights)
    if unreached:
        runner.logger.warning(
            f'The image that multiply-adds are counted on does not reach {len(unreached)} '
            f'layer(s): {", ".join(unreached)}. They count one a weight, and stay nearly dense.')
    return {name: counted[name] for name in weights}


def seed_of(hook, runner) -> int:
    """Other random numbers in every round, the same ones when a round is repeated.

    The same on every rank, also with ``randomness=dict(diff_rank_seed=True)``.
    """
    own = get_rank() if runner._randomness_cfg.get('diff_rank_seed') else 0
    return (runner.seed or 0) - own + hook.round


def find_rewind_point(hook, runner) -> Optional[Path]:
    """The rewind point's file, None if the ticket starts from the trained weights."""
    own = next((h for h in runner.hooks if isinstance(h, RewindHook)), None)
    keeps_weights = own is None or own.mode != 'weights' or hook.dense_control
    if hook.rewind is None and keeps_weights:
        return None
    path = Path(hook.rewind or Path(runner.work_dir) / paths.REWIND)
    if own is not None and own.iteration > runner.iter:
        raise UserError(
            f'PruneHook: {getattr(runner, "ended_by", None) or "a hook"} ended the training after '
            f'{runner.iter} iterations, before the rewind point {own.to!r} (iteration '
            f'{own.iteration}): rewind to an earlier point, or leave that hook out')
    if not path.is_file():
        raise UserError(
            f'PruneHook: there is no rewind point {path}; it is saved by the RewindHook '
            'of the dense training. Run that training anew.')
    return path


def meta_of(hook, runner, source: str) -> dict:
    """Where a ticket comes from, in plain values."""
    common = dict(
        config=Path(runner.cfg.filename).name if runner.cfg.filename else None,
        checkpoint=str(Path(runner.work_dir) / paths.FINAL), start=source,
        iterations=runner.iter, seed=runner.seed, round=hook.round + 1, control=hook.control,
        learning_rates=[g['lr'] for g in runner.optim_wrapper.optimizer.param_groups])
    if hook.transfer is not None:   # nothing was drawn
        return dict(common, transfer=carried(runner).meta['transfer'])
    scope = hook.scope
    return dict(
        common, sparsity=hook.sparsity, allocation=hook.allocation, score=hook.score,
        at=hook.at, floor=hook.floor, frozen=hook.frozen,
        scope=({k: list(v) for k, v in scope.items()} if isinstance(scope, dict)
               else scope if scope is None or isinstance(scope, str) else list(scope)))
