"""Whether an optimizer may hold the surviving weights alone, found out by trying it.

:class:`MaskBinding` hands the optimizer a vector of the surviving entries. That is the training
under a mask only if the update of an entry asks for nothing but the entry itself, or for sums
over its layer, to which zeros add nothing. Row and column statistics (Adafactor), means over
a layer, and orthogonal updates (Muon) ask for more.
"""
from typing import Any, Callable, List, Optional, Sequence, Tuple, Type, Union

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .binding import MaskBinding
from .errors import UserError
from .optimizer_state import check_growing, initial_value

Build = Callable[[List[nn.Parameter]], Optimizer]

# Some factor no matrix that is smaller than 128.
_SHAPES = ((136, 130), (20, 18, 3, 3))
_DENSITY = 0.4
_STEPS = 8              # momentum shows in the second, rectified methods begin with the sixth
_TOLERANCE = 1e-3       # of the largest step; sums in another order differ by 1e-15
_ADVICE = 'use SGD, AdamW or another optimizer that updates each weight by itself'


def check_elementwise(name: str, build: Build, dense_steps: int = 0) -> Optional[str]:
    """Train toy weights under a mask, once whole and once as their survivors alone.

    Args:
        name: The optimizer's, for messages.
        build: Makes the optimizer of a list of parameters.
        dense_steps: Updates before the mask is bound, whose state is to be carried over.
            Default: 0.

    Returns:
        Why the optimizer could not be tried at all; None if it was, and is fine.

    Raises:
        UserError: The survivors end elsewhere, the optimizer needs a closure, or it changes
            weights outside ``step()``.
    """
    problems = [_try(name, build, shape, dense_steps) for shape in _SHAPES]
    # An optimizer of matrices alone refuses kernels.
    return None if None in problems else problems[0]


def check_grown(name: str, build: Build) -> None:
    """Let a toy weight have no gradient: is its state what that of a grown weight begins with?

    Args:
        name: The optimizer's, for messages.
        build: Makes the optimizer of a list of parameters.

    Raises:
        UserError: It is not.
    """
    param = nn.Parameter(torch.zeros(_SHAPES[-1]))
    param.grad = torch.zeros_like(param)
    optimizer = _training(build([param]))
    check_growing(optimizer)
    optimizer.step()
    for key, value in optimizer.state[param].items():
        if isinstance(value, Tensor) and value.shape == param.shape:
            expected = torch.full_like(value, initial_value(optimizer, key))
            if not torch.equal(value, expected):
                raise UserError(
                    f'the optimizer {name} begins the state {key!r} of a weight with '
                    f'{float(value.reshape(-1)[0]):.4g}; a weight that grows within a training '
                    f'begins with {float(expected.reshape(-1)[0]):.4g}. {_ADVICE}')


def _try(name: str, build: Build, shape: Sequence[int], dense_steps: int) -> Optional[str]:
    """:func:`check_elementwise` for weights of one shape."""
    try:
        start, whole = _train(build, shape, dense_steps, _Whole)
    except Exception as error:
        _check_closure(name, build, shape)
        return f'{type(error).__name__}: {error}'
    if not whole.isfinite().all():
        return 'toy weights do not stay finite with these settings'
    _check_switches(name, build, shape)
    try:
        _, alone = _train(build, shape, dense_steps, _Survivors)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f'the optimizer {name} cannot update the surviving weights of a layer, which a '
            f'ticket hands it as one vector ({type(error).__name__}: {error}); {_ADVICE}'
        ) from error
    _check_same(name, shape, start, whole, alone)
    return None


class _Whole:
    """The reference: the optimizer holds the whole weight, and a mask is laid over it."""

    def __init__(self, optimizer: Optimizer, param: nn.Parameter, keep: Tensor):
        self.optimizer, self.param, self.keep = optimizer, param, keep
        for value in optimizer.state[param].values():
            if isinstance(value, Tensor) and value.shape == param.shape:
                value.masked_fill_(~keep, 0)
        self._mask()

    def step(self, gradient: Tensor) -> None:
        self.param.grad = gradient.masked_fill(~self.keep, 0)
        self.optimizer.step()
        self._mask()

    def _mask(self) -> None:
        self.param.detach().masked_fill_(~self.keep, 0)


class _Survivors:
    """What a ticket does."""

    def __init__(self, optimizer: Optimizer, param: nn.Parameter, keep: Tensor):
        self.optimizer, self.param = optimizer, param
        self.binding = MaskBinding(optimizer, dict(weight=param), dict(weight=keep))

    def step(self, gradient: Tensor) -> None:
        self.param.grad = gradient
        self.binding.gather()
        self.optimizer.step()
        self.binding.scatter()


def _train(build: Build, shape: Sequence[int], dense_steps: int,
           kind: Type[Union[_Whole, _Survivors]]) -> Tuple[Tensor, Tensor]:
    """The surviving entries before and after the steps under a mask."""
    # Double precision: with a learning rate of 1e-6 the steps drown in fp32.
    generator = torch.Generator().manual_seed(0)
    draw = (lambda: torch.randn(shape, generator=generator, dtype=torch.float64))
    param = nn.Parameter(draw())
    keep = torch.rand(shape, generator=generator) < _DENSITY
    optimizer = _training(build([param]))
    for _ in range(dense_steps):
        param.grad = draw()
        optimizer.step()
    start = param.detach()[keep]
    way = kind(optimizer, param, keep)
    for _ in range(_STEPS):
        way.step(draw())
    return start, param.detach()[keep]


def _check_same(name: str, shape: Sequence[int], start: Tensor, whole: Tensor,
                alone: Tensor) -> None:
    farthest = float((whole - start).abs().max())
    apart = float((whole - alone).abs().max())
    if not apart <= _TOLERANCE * farthest:      # NaN is no agreement
        raise UserError(
            f'the optimizer {name} does not update each weight by itself: in {_STEPS} steps on a '
            f'toy weight of shape {tuple(shape)}, the survivors of a mask end up to '
            f'{apart / farthest:.0%} of the largest step away from where they end if it holds '
            f'them alone, as a ticket does; {_ADVICE}')


def _check_closure(name: str, build: Build, shape: Sequence[int]) -> None:
    """Raise a UserError if the optimizer takes a step with a closure, unlike without one."""
    param = nn.Parameter(torch.ones(shape))
    param.grad = torch.ones(shape)
    closure: Callable[[], Any] = lambda: torch.ones(())     # PyTorch's hint: a float
    try:
        optimizer = _training(build([param]))
        optimizer.step(closure)
    except Exception:
        return
    raise UserError(f'the optimizer {name} takes a step only with a closure that computes the '
                    f'loss anew, which no training here gives it; {_ADVICE}')


def _check_switches(name: str, build: Build, shape: Sequence[int]) -> None:
    """Raise a UserError if ``eval()`` or ``train()`` changes weights (schedule-free methods)."""
    param = nn.Parameter(torch.ones(shape, dtype=torch.float64))
    optimizer = _training(build([param]))
    for _ in range(_STEPS):
        param.grad = torch.ones_like(param)
        optimizer.step()
    for switch in ('eval', 'train'):
        before = param.detach().clone()
        getattr(optimizer, switch, lambda: None)()
        if not torch.allclose(param.detach(), before, rtol=0, atol=0, equal_nan=True):
            raise UserError(
                f'the optimizer {name} changes weights in {switch}(), outside step(): a ticket '
                'hands it copies of the surviving weights, so that the model would never see '
                f'that; {_ADVICE}')


def _training(optimizer: Optimizer) -> Optimizer:
    """Schedule-free optimizers take no step before they are told that this is training."""
    getattr(optimizer, 'train', lambda: None)()
    return optimizer
