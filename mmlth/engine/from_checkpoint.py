"""A ticket from a checkpoint that is there already, the model zoo's too."""
from pathlib import Path
from typing import Dict, Optional

from mmengine.config import Config
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn

from mmlth.core import Ticket, select
from mmlth.core import mask as masks
from mmlth.core import state as states
from mmlth.core.errors import UserError
from mmlth.core.rewind import trained_weights
from mmlth.core.scope import transposed

from .hook_configs import build_hook
from .hooks import PruneHook
from .preview import build_model


def draw_from_checkpoint(cfg: Config, checkpoint: str, sparsity: Optional[float] = None,
                         rewind: Optional[str] = None,
                         candidate: Optional[str] = None) -> Ticket:
    """Draw a ticket as the config's PruneHook would have.

    Args:
        cfg: The model's config. Scope, score and allocation are those of its PruneHook;
            without one, the hook's defaults.
        checkpoint: The trained weights: a path, URL or anything mmengine loads.
        sparsity: Fraction to remove, in [0, 1). Default: None, the PruneHook's.
        rewind: A checkpoint with the start weights, e.g. a ``rewind.pth``. Default: None,
            the trained weights.
        candidate: The file of an early-bird mask to take instead of drawing one.
            Default: None.

    Raises:
        UserError: A checkpoint is not of this model, or a setting is out of range.
    """
    hook = build_hook(cfg, PruneHook) or PruneHook()
    if hook.transfer is not None:
        raise UserError('the ticket of this config is not drawn, but transferred from '
                        f'{hook.transfer.source}: use tools/transfer_ticket.py')
    model = build_model(cfg)
    states.load(model, read_weights(checkpoint, model), str(checkpoint))
    settings = dict(score=hook.score, allocation=hook.allocation, floor=hook.floor)
    scope, frozen = hook.scope, hook.frozen
    if candidate is not None:
        mask = Ticket.load(candidate).mask
        masks.check_fits(mask, dict(model.named_parameters()), str(candidate))
    else:
        if sparsity is None:
            if isinstance(hook.given['sparsity'], (list, tuple)):
                raise UserError('the config has sparsities of several rounds, '
                                f'{hook.sparsities[1:]}: say which one with --sparsity')
            sparsity = hook.sparsities[-1]
        mask = masks.draw(select(model, scope, frozen), sparsity, **settings,
                          transposed=transposed(model))
    source = str(rewind or checkpoint)
    start = read_weights(rewind, model) if rewind else states.snapshot(model)
    meta = dict(config=Path(cfg.filename).name if cfg.filename else None,
                checkpoint=str(checkpoint), start=source, candidate=candidate,
                sparsity=masks.pruned(mask) / masks.size(mask), frozen=frozen,
                scope=scope.to_dict() if hasattr(scope, 'to_dict') else scope, **settings)
    return Ticket.draw(mask, start, meta, source)


def read_weights(checkpoint: str, model: nn.Module) -> Dict[str, Tensor]:
    """The trained weights in a checkpoint, which must be those of ``model``."""
    if '://' not in str(checkpoint) and not Path(checkpoint).is_file():
        raise UserError(f'there is no checkpoint {checkpoint}')
    loaded = _load_checkpoint(str(checkpoint), map_location='cpu')
    weights = trained_weights(loaded if 'state_dict' in loaded else dict(state_dict=loaded))
    weights = {name.removeprefix('module.'): tensor for name, tensor in weights.items()}
    own, known = states.unique(model), model.state_dict()
    # A tensor that the model has under several names is in the ticket once.
    weights = {n: t for n, t in weights.items() if n in own or n not in known}
    states.check_same(own, weights, str(checkpoint))
    return weights
