"""Load the weights of a checkpoint into a model: all, whatever wraps their names."""
from typing import Any

from torch import nn

from mmlth.core import Ticket
from mmlth.core import state as states
from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath
from mmlth.sparse.packed import PackedModel
from mmlth.transfer.formats import Content, unpack, unwrapped
from mmlth.transfer.source import format_of

from .reading import read_checkpoint


_NO_CHECKPOINT = {
    Ticket.FORMAT: 'a ticket, whose weights are those that a training starts from: train it with '
                   "TicketHook, and give that training's checkpoint",
    PackedModel.FORMAT: 'a packed model, which is there to be run: give the checkpoint that it '
                        'was packed of'}


def load_weights(address: AnyPath, model: nn.Module, evaluated: bool = False) -> Content:
    """Load the weights of a checkpoint, which must be all of the model's, by its names.

    Args:
        address: A path, a URL or anything else that mmengine loads.
        model: On any device.
        evaluated: Which copy, where an EMAHook has left two: the average, which is evaluated and
            deployed. Default: False, the weights as the optimizer has left them, of which masks
            are drawn.

    Returns:
        Content: The weights, and the mask if ``torch.nn.utils.prune`` has left one.

    Raises:
        UserError: It is not a checkpoint of this model.
    """
    loaded = read_weights(address)
    content = unpack(evaluated_part(loaded) if evaluated else loaded, address)
    if not content.weights:
        raise UserError(
            f'{address} is a mask without weights: take it over with tools/transfer_ticket.py '
            "--mapping same --mask-only, and train it with TicketHook")
    return load_content(content, str(address), model)


def read_weights(address: AnyPath, map_location: Any = 'cpu') -> Any:
    """As :func:`~mmlth.engine.reading.read_checkpoint`; a ticket or a packed model is none."""
    kind = format_of(address)
    if kind in _NO_CHECKPOINT:
        raise UserError(f'{address} is {_NO_CHECKPOINT[kind]}')
    return read_checkpoint(address, map_location)


def evaluated_part(loaded: Any) -> Any:
    """A checkpoint without the copy of its weights that is not evaluated; itself if it has one.

    With an EMAHook mmengine saves the average, which it evaluates, in ``state_dict``, and the
    trained weights in ``ema_state_dict``.
    """
    if isinstance(loaded, dict) and all(isinstance(loaded.get(key), dict)
                                        for key in ('state_dict', 'ema_state_dict')):
        return {key: value for key, value in loaded.items() if key != 'ema_state_dict'}
    return loaded


def load_content(content: Content, source: str, model: nn.Module) -> Content:
    """Load what a file holds, which must be all of the model's, and return it by its names.

    Args:
        content: From :func:`mmlth.transfer.formats.unpack`.
        source: The file, for messages.
        model: On any device.

    Raises:
        UserError: It is another model's.
    """
    weights, mask, origin, extra = content
    own = states.unique(model)
    names = unwrapped([*weights, *mask, *extra], model.state_dict())
    renamed = states.renamed(model, states.with_versions(
        {names[name]: tensor for name, tensor in weights.items()}, weights))
    # A tensor that the model has under several names is in the ticket once.
    shared = model.state_dict().keys() - own.keys()
    states.load(model, {n: t for n, t in renamed.items() if n not in shared}, source)
    extra = {names[name]: value for name, value in extra.items()}
    states.set_extra_states(model, extra)
    ours = origin == "the checkpoint's masks"    # drawn anew, as every round draws
    return Content(renamed, {} if ours else {
        names[name]: keep for name, keep in mask.items() if names[name] not in shared}, '', extra)
