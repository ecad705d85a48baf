"""Load the trained weights of a checkpoint into a model: all, whatever wraps their names."""
from collections import OrderedDict

from torch import nn

from mmlth.core import state as states
from mmlth.core.errors import UserError
from mmlth.core.files import AnyPath
from mmlth.transfer.formats import Content, unpack, unwrapped

from .reading import read_checkpoint


def load_weights(address: AnyPath, model: nn.Module) -> Content:
    """Load the trained weights of a checkpoint, which must be all of the model's, by its names.

    Args:
        address: A path, a URL or anything else that mmengine loads.
        model: On any device.

    Returns:
        Content: The weights, and the mask if ``torch.nn.utils.prune`` has left one.

    Raises:
        UserError: It is not a checkpoint of this model.
    """
    content = unpack(read_checkpoint(address), address)
    if not content.weights:
        raise UserError(
            f'{address} is a mask without weights: take it over with tools/transfer_ticket.py '
            "--mapping same --mask-only, and train it with TicketHook")
    return load_content(content, str(address), model)


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
    state = OrderedDict((names[name], tensor) for name, tensor in weights.items())
    state._metadata = getattr(weights, '_metadata', {})
    renamed = states.renamed(model, state)
    # A tensor that the model has under several names is in the ticket once.
    shared = model.state_dict().keys() - own.keys()
    states.load(model, {n: t for n, t in renamed.items() if n not in shared}, source)
    extra = {names[name]: value for name, value in extra.items()}
    states.set_extra_states(model, extra)
    ours = origin == "the checkpoint's masks"    # drawn anew, as every round draws
    return Content(renamed, {} if ours else {
        names[name]: keep for name, keep in mask.items() if names[name] not in shared}, '', extra)
