"""What a score may ask of the model beyond its weights: losses, outputs, gradients."""
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import (Any, Callable, ContextManager, Dict, Iterator, List, Mapping, NamedTuple,
                    Sequence)

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointFunction, checkpoint

from .errors import UserError


class Agreement(NamedTuple):
    """How much two masks agree that should be the same: IoU of the survivors.

    Args:
        found: Between the two.
        chance: Had they been drawn at random.
    """
    found: float
    chance: float


@dataclass(frozen=True)
class Probe:
    """The model and its data, for scores that look at more than the weights.

    Args:
        model: The bare model; it holds the very parameters that are scored.
        losses: Each call yields, batch by batch, the scalar loss of the model in the mode
            that it is in, with its graph to the live parameters: the same batches and
            randomness at every call.
        outputs: Runs the given copy of the model on inputs of ones, in the shape of a real
            batch and the copy's dtype; returns all raw floating output tensors that carry
            gradient.
        seed: Of the score 'random'. Default: 0.
        held: Within it, what the first pass through the losses decides (a detector's proposals,
            assignments and samples) later ones decide alike. Default: nothing is decided.
        agreements: Receives, each time that a score is taken by differences, how far the
            masks of two step sizes agree.
    """
    model: nn.Module
    losses: Callable[[], Iterator[Tensor]]
    outputs: Callable[[nn.Module], Sequence[Tensor]]
    seed: int = 0
    held: Callable[[], ContextManager] = nullcontext
    agreements: List[Agreement] = field(default_factory=list)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Put back what a pass through ``model`` changes, also after an exception.

    These are the buffers (a training pass updates batch norm's statistics), the training
    mode of every module and ``requires_grad`` of every parameter.
    """
    modules = list(model.modules())
    modes = [module.training for module in modules]
    flags = [(param, param.requires_grad) for param in model.parameters()]
    buffers = [(module, name, buffer, buffer.detach().clone()) for module in modules
               for name, buffer in module._buffers.items() if buffer is not None]
    try:
        yield
    finally:
        for module, mode in zip(modules, modes):
            module.training = mode      # train() would reach, and may change, the children
        for param, flag in flags:
            param.requires_grad_(flag)
        with torch.no_grad():
            for module, name, buffer, saved in buffers:
                module._buffers[name] = buffer.copy_(saved)


@contextmanager
def differentiable() -> Iterator[None]:
    """Let ``torch.autograd.grad`` through checkpointed activations (a backbone's ``with_cp``).

    PyTorch's older kind, the default, allows ``backward`` alone, which would set ``.grad`` and wake
    the hooks of distributed training. Here such activations are checkpointed in the newer way.
    """
    def apply(function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        return checkpoint(function, *args, use_reentrant=False, preserve_rng_state=preserve)

    # Every import of `checkpoint` comes by here; mypy does not know that it is put back.
    CheckpointFunction.apply = staticmethod(apply)      # type: ignore[method-assign]
    try:
        yield
    finally:
        del CheckpointFunction.apply        # the inherited one is there again


@contextmanager
def restored(weights: Mapping[str, Tensor]) -> Iterator[Dict[str, Tensor]]:
    """Put the weights back bit for bit, also after an exception; yields copies of them."""
    saved = {name: weight.detach().clone() for name, weight in weights.items()}
    try:
        yield saved
    finally:
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(saved[name])


def mean_gradient(weights: Mapping[str, Tensor], probe: Probe) -> Dict[str, Tensor]:
    """The gradient of the mean training loss over all batches, of frozen weights too.

    Args:
        weights: Live parameters of ``probe.model``, by name.
        probe: Yields the losses.

    Returns:
        dict[str, Tensor]: In the weights' shapes, fp32 or wider; 0 where a weight is not
        used. No ``.grad`` is set and the model is left as it was.

    Raises:
        UserError: There is no batch, or the gradient is zero everywhere or not finite.
    """
    total = {n: torch.zeros_like(w, dtype=torch.promote_types(w.dtype, torch.float32))
             for n, w in weights.items()}
    batches = 0
    with untouched(probe.model), torch.enable_grad(), differentiable():
        probe.model.train()     # before: backbones freeze their stages here
        for weight in weights.values():
            weight.requires_grad_(True)
        for loss in probe.losses():
            batches += 1
            if loss.requires_grad:
                grads = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
                for name, grad in zip(weights, grads):
                    if grad is not None:
                        total[name] += grad
    if not batches:
        raise UserError('scores that need the loss got no batch: the training set must hold '
                        'at least one')
    _check_gradient(total)
    return {name: grad.div_(batches) for name, grad in total.items()}


def _check_gradient(gradient: Mapping[str, Tensor]) -> None:
    for name, grad in gradient.items():
        if not torch.isfinite(grad).all():
            raise UserError(
                f'the gradient of {name} is not finite: the loss overflows on the batches '
                'drawn for the score. Lower the learning rate, or score without AMP')
    if not any(grad.any() for grad in gradient.values()):
        raise UserError(
            'the loss has no gradient in any weight in scope: choose another scope, or, if '
            'pruning cut the network in two, a lower sparsity or a floor')
