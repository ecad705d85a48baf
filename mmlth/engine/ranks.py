"""What fails on one rank fails on all of them, none is left waiting for it; all leave together."""
import gc
from contextlib import contextmanager
from functools import wraps
from typing import Any, Callable, Iterator

import torch
from mmengine.dist import (all_gather_object, barrier, broadcast_object_list, get_rank,
                           is_distributed, is_main_process)
from mmengine.logging import print_log

from mmlth.core import mask as masks
from mmlth.core.errors import UserError

if torch.distributed.is_available():    # before any group is begun, see `leave_group`
    import torch.distributed.nn  # noqa: F401


@contextmanager
def together() -> Iterator[None]:
    """Raise on every rank if the work inside has raised on one.

    All ranks must come here, and the work must hold no collective operation: a rank that
    fails beside one leaves the others inside it. (There, let the error end the process: the
    launcher ends the others.)

    Raises:
        UserError or RuntimeError: Another rank has failed, with such an error or any other.
    """
    problem = None
    try:
        yield
    except Exception as error:
        problem = error
    told = problem and (isinstance(problem, UserError), f'{type(problem).__name__}: {problem}')
    all_told = all_gather_object(told)
    if problem is not None:
        raise problem
    for rank, other in enumerate(all_told):
        if other:
            by_user, text = other
            raise (UserError if by_user else RuntimeError)(
                f'rank {rank} has failed, so that rank {get_rank()} ends as well; {text}')


def on_rank_0(function: Callable[..., None]) -> Callable[..., None]:
    """As ``mmengine.dist.master_only``, but an error there is raised on every rank."""
    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        with together():
            if is_main_process():
                function(*args, **kwargs)
    return wrapped


def say(text: str) -> None:
    """Log it, once."""
    print_log(text, logger='current' if is_main_process() else 'silent')


def agreed(mask: masks.Mask, rounded: bool) -> masks.Mask:
    """The mask that all ranks have drawn.

    Args:
        mask: This rank's.
        rounded: Gradients on a GPU differ in their last bits from run to run, so that single
            weights fall on the other side: rank 0's mask holds.

    Raises:
        RuntimeError: On every rank: they differ, and nothing was rounded.
    """
    digests = all_gather_object(masks.digest(mask))
    if len(set(digests)) == 1:
        return mask
    if not rounded:
        raise RuntimeError(
            f'the ranks draw different masks: {digests}. Their weights must differ, which '
            'distributed training should keep equal')
    bits = [{name: masks.pack(keep) for name, keep in mask.items()}]
    broadcast_object_list(bits)
    return {name: masks.unpack(bits[0][name], keep.shape).to(keep.device)
            for name, keep in mask.items()}


def leave_group() -> None:
    """End the process group, if there is one, and its threads; nobody holds a wrapped model.

    A process that ends while Gloo's threads run may be aborted ("terminate called without an active
    exception"). ``destroy_process_group`` leaves them to whoever still holds the group: a wrapped
    model does, and the default arguments of ``torch.distributed.nn`` do if that is imported while
    the group is open, as wrapping a model imports it. It is imported above for that reason.
    """
    if not is_distributed():
        return
    barrier()
    gc.collect()
    torch.distributed.destroy_process_group()
