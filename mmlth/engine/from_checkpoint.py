"""A ticket from a checkpoint that is there already, the model zoo's too."""
from pathlib import Path
from typing import Any, Dict, Optional

from mmengine.config import Config, ConfigDict

from mmlth.core import Ticket, layers_of
from mmlth.core import mask as masks
from mmlth.core import state as states
from mmlth.core.errors import UserError

from .costs import count_costs, first_validation_batch
from .example import example
from .hook_configs import arguments_of, build_hook, class_of, find_hook
from .hooks import PruneHook
from .loading import load_weights
from .model import build_model
from .specs import PruneSpec


def draw_from_checkpoint(cfg: Config, checkpoint: str, sparsity: Optional[float] = None,
                         rewind: Optional[str] = None,
                         candidate: Optional[str] = None,
                         image: Optional[str] = None) -> Ticket:
    """Draw a ticket as the config's PruneHook would have.

    Args:
        cfg: The model's config. Scope, score and allocation are those of its PruneHook;
            without one, the hook's defaults.
        checkpoint: The trained weights: a path, URL or anything mmengine loads, also with
            parameter names that the model's own load hooks or wrappers explain. One that
            was pruned with ``torch.nn.utils.prune`` has a mask already.
        sparsity: Fraction to remove, in [0, 1). Default: None, the checkpoint's mask of
            ``torch.nn.utils.prune``, else the PruneHook's.
        rewind: A checkpoint with the start weights, e.g. a ``rewind.pth``. Default: None,
            the trained weights.
        candidate: The file of an early-bird mask to take instead of drawing one.
            Default: None.
        image: For an allocation that asks for multiply-adds, the file that they are counted on.
            Default: None, the first of the config's validation data.

    Raises:
        UserError: A checkpoint is not of this model, a setting is out of range, or the config's
            ticket is not drawn of a checkpoint.
    """
    # Not built for that: its own sparsity need not fit the one asked for.
    given = find_hook(cfg, PruneHook) or ConfigDict()
    transfer = {**arguments_of(class_of(cfg, given) or PruneHook), **given}['transfer']
    if transfer is not None:
        raise UserError('the ticket of this config is not drawn, but transferred from '
                        f'{transfer["source"]}: use tools/transfer_ticket.py')
    # The sparsity asked for, not the config's, must go with the other settings.
    asked: Dict[str, Any] = {} if sparsity is None else dict(sparsity=sparsity, rounds=1)
    hook = build_hook(cfg, PruneHook, **asked) or PruneHook(**asked)
    prune = hook.spec
    _check_drawn(prune)
    model = build_model(cfg)
    given = load_weights(checkpoint, model).mask
    drawing, scope, notes = prune.drawing, prune.scope, {}
    if candidate is not None or given and sparsity is None:
        mask = given if candidate is None else Ticket.load(candidate).mask
        masks.check_fits(mask, dict(model.named_parameters()), str(candidate or checkpoint))
    else:
        if sparsity is None:
            if isinstance(hook.given['sparsity'], (list, tuple)):
                raise UserError('the config has sparsities of several rounds, '
                                f'{list(prune.sparsities[1:])}: say which one with --sparsity')
            sparsity = prune.sparsities[-1]
        weights = scope.select(model)
        if drawing.allocation.needs_macs:
            batch = example(cfg, image) if image else first_validation_batch(cfg)
            costs = count_costs(model, batch)
            notes['costs'] = {name: costs[name] for name in weights}
        mask = drawing.draw(weights, sparsity, layers=layers_of(model, notes.get('costs')))
    source = str(rewind or checkpoint)
    if rewind:
        load_weights(rewind, model)
    start = states.snapshot(model)
    meta = dict(config=Path(cfg.filename).name if cfg.filename else None,
                checkpoint=str(checkpoint), start=source, candidate=candidate,
                sparsity=masks.pruned(mask) / masks.size(mask), frozen=scope.frozen,
                scope=scope.plain(), score=drawing.score.name,
                allocation=drawing.allocation.name, floor=drawing.floor, **notes)
    extra, _ = states.extra_states(model.state_dict())
    if extra:
        meta['extra_state'] = extra
    return Ticket.draw(mask, start, meta, source)


def _check_drawn(prune: PruneSpec) -> None:
    """Raise a UserError where a lottery would not train the mask that is drawn of the weights."""
    if prune.control is not None:
        raise UserError(
            f'the ticket of this config is the control {prune.control.name!r}, which its lottery '
            'makes of the mask that it draws: train it there, or draw the ticket itself with '
            'control=None (--cfg-options default_hooks.prune.control=None)')
    if prune.update is not None and prune.update.begins_dense:
        raise UserError(
            'the ticket of this config begins with all weights, and its update prunes them within '
            "the training: there is no mask to draw. Train it there, or with TicketHook(draw=..., "
            'update=...), or draw a static mask with update=None (--cfg-options '
            'default_hooks.prune.update=None)')
