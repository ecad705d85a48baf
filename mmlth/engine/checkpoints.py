"""The entry ``mmlth`` of a checkpoint: the masks that its weights were trained under."""
from types import MappingProxyType
from typing import Any, Mapping

from mmengine.logging import MessageHub

from mmlth.core import mask as masks


def checkpoint_entry(mask: masks.Mask, copies: Mapping[str, str] = MappingProxyType({})) -> dict:
    """What a checkpoint holds under ``mmlth``: bit-packed masks and their digest.

    Where there are any, ``copies`` too: the names of averaged copies in the same state dict, which
    have the zeros of the weights, by the names of these. Default: none.
    """
    return dict(
        digest=masks.digest(mask),
        masks={n: dict(shape=list(m.shape), bits=masks.pack(m)) for n, m in mask.items()},
        **({'copies': dict(copies)} if copies else {}))


def masks_of(entry: Mapping[str, Any]) -> masks.Mask:
    """The masks of such an entry."""
    return {name: masks.unpack(packed['bits'].cpu(), packed['shape'])
            for name, packed in entry['masks'].items()}


def forget_checkpoints(message_hub: MessageHub) -> None:
    """Drop what the CheckpointHook of the dense training has noted of its own files.

    Else the ticket would have to beat the dense model's best metric to have a best checkpoint, and
    would then delete the dense model's.
    """
    for key in list(message_hub.runtime_info):
        if key.startswith(('best_score', 'best_ckpt', 'last_ckpt', 'keep_ckpt_ids')):
            message_hub.pop_info(key)


def plain(value: Any) -> Any:
    """Nested values as what ``torch.load(weights_only=True)`` reads with no help."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(v) for v in value]
    if hasattr(value, 'tolist'):
        return value.tolist()
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
