"""Models without the work that their check does not need, and AMP without a GPU."""
import os
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Iterator
from unittest.mock import patch

import torch
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.runner import checkpoint
from torch import nn

from mmlth.core.files import AnyPath

_NOISE = 1 << 20


@contextmanager
def light_building() -> Iterator[None]:
    """Within, models are built with weights left as memory has them, and load no files.

    Teachers of distillation load theirs while they are built; ``init_cfg`` acts only in
    ``init_weights``, which nobody calls here.
    """
    fills = [name for name in vars(nn.init) if name.endswith('_') and not name.startswith('_')]
    with ExitStack() as stack:
        for name in fills:
            stack.enter_context(patch.object(nn.init, name, _leave))
        stack.enter_context(patch.object(
            checkpoint, '_load_checkpoint', lambda *args, **kwargs: dict(state_dict={})))
        yield


def _leave(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    return tensor


@contextmanager
def amp_on_cpu() -> Iterator[None]:
    """Within, mmengine's AMP wrapper is content with a CPU; the scaler is PyTorch's own.

    Before PyTorch 2.3 there is none for a CPU: it scales by 1 then.
    """
    scaler = (partial(torch.amp.GradScaler, 'cpu') if hasattr(torch.amp, 'GradScaler') else
              partial(torch.cuda.amp.GradScaler, enabled=False))
    with patch.object(amp_optimizer_wrapper, 'is_cuda_available', lambda: True), \
            patch.object(amp_optimizer_wrapper, 'GradScaler', scaler):
        yield


@contextmanager
def working_in(folder: AnyPath) -> Iterator[None]:
    """Within, relative paths start at ``folder``."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class Noise:
    """Weights to stand in for trained ones, the same for a parameter's number and shape.

    Args:
        largest: Elements of the largest parameter.
    """

    def __init__(self, largest: int):
        values = torch.randn(_NOISE, generator=torch.Generator().manual_seed(0)) * 0.02
        values[values == 0] = 0.01      # nothing is 0 that no mask made so
        self.values = values.repeat(2 + largest // _NOISE)

    def like(self, param: nn.Parameter, number: int) -> torch.Tensor:
        """The values of the model's parameter ``number``, not to be changed in place."""
        start = 7919 * number % _NOISE
        return self.values[start:start + param.numel()].view(param.shape).to(param.dtype)

    def fill(self, model: nn.Module) -> None:
        """Give every parameter of the model its values."""
        with torch.no_grad():
            for number, param in enumerate(model.parameters()):
                param.copy_(self.like(param, number))
