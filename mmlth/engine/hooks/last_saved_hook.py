"""Tell whether a hook has set weights behind the last checkpoint of a training."""
import zlib
from typing import Any, Mapping, Optional, Tuple

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmlth.core.state import trained_weights

from ..runners import bare_model


class LastSavedHook(Hook):
    """Keep checksums of what was saved last; a PruneHook and a LotteryRunner add it.

    A hook may set weights in ``after_train`` (their mean, for one), which no checkpoint of the
    training holds then. What is drawn of such weights, and ``final.pth``, note that.

    Note:
        LOWEST priority: an EMAHook exchanges the weights that are saved.
    """
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.iteration: Optional[int] = None    # of the checkpoint
        self.sums: Tuple[int, int] = (0, 0)     # of the weights that are evaluated, and trained

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """A training that is resumed at its end saves nothing more."""
        if runner._resume:
            self._keep(checkpoint)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """The first of an iteration: the others are saved behind it."""
        self._keep(checkpoint)

    def _keep(self, checkpoint: Mapping[str, Any]) -> None:
        iteration = checkpoint['meta'].get('iter')
        if iteration != self.iteration:
            self.iteration = iteration
            evaluated = trained = checksum(checkpoint['state_dict'])
            if checkpoint.get('ema_state_dict'):
                trained = checksum(trained_weights(checkpoint))
            self.sums = evaluated, trained

    @classmethod
    def added(cls, runner: Runner) -> 'LastSavedHook':
        """That of the Runner, which gets one if it has none; before it loads a checkpoint."""
        found = next((hook for hook in runner.hooks if isinstance(hook, cls)), None)
        if found is None:
            found = cls()
            runner.register_hook(found)
        return found

    def drawn_of_others(self, runner: Runner) -> bool:
        """Whether the weights in training are others than those saved after this iteration."""
        return self.iteration == runner.iter and (
            self.sums[1] != checksum(bare_model(runner.model).state_dict()))

    def ended_with_others(self, runner: Runner, state: Mapping[str, Any]) -> bool:
        """Whether ``state``, to be evaluated, is another than what was saved then."""
        return self.iteration == runner.iter and self.sums[0] != checksum(state)


def checksum(state: Mapping[str, Any]) -> int:
    """CRC-32 of the names and bytes of the dense tensors of a state dict."""
    total = 0
    for name, tensor in state.items():
        if isinstance(tensor, Tensor) and tensor.layout == torch.strided:
            flat = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
            total = zlib.crc32(flat.numpy().data, zlib.crc32(name.encode(), total))
    return total
