"""What a weight is worth: a method, and the numbers that it gives."""
import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Union

import torch
from torch import Tensor

from ..errors import UserError
from ..layers import PLAIN, Layer, Layers
from ..probe import Probe
from .arrays import Array, chunks


@dataclass(frozen=True)
class Scores:
    """One number per weight; the lowest are pruned.

    Args:
        tensors: Scores by parameter name, each in the parameter's shape; fp32, fp16 or
            bf16 (others are compared as fp32). ``-inf`` marks what is pruned already.
        absolute: Compare ``|x|``: magnitude pruning then needs no copy of the weights.
        copied: The tensors are nobody else's and may be changed in place.
        layers: What is known of the weights beyond their shapes, by name. Default: nothing.
    """
    tensors: Mapping[str, Tensor]
    absolute: bool = False
    copied: bool = False
    layers: Layers = field(default_factory=dict)

    def layer(self, name: str) -> Layer:
        """That of a tensor; a plain one if nothing is said of it."""
        return self.layers.get(name, PLAIN)

    def costs(self) -> Dict[str, float]:
        """Multiply-adds of one entry of each tensor, as far as they are counted."""
        found = {name: self.layer(name).macs for name in self.tensors}
        return {name: macs for name, macs in found.items() if macs is not None}

    def numel(self) -> int:
        """How many scores there are."""
        return sum(t.numel() for t in self.tensors.values())

    def chunks(self, tensor: Tensor) -> Iterator[Array]:
        """The scores of one tensor, flat, in pieces."""
        for piece in chunks(tensor):
            yield abs(piece) if self.absolute else piece

    def below(self, mask: Mapping[str, Tensor]) -> 'Scores':
        """These scores with ``-inf`` wherever ``mask`` has pruned already."""
        lowered = {}
        for name, tensor in self.tensors.items():
            own = tensor.detach().abs() if self.absolute else tensor.detach().clone()
            lowered[name] = own.masked_fill_(~mask[name], -torch.inf)
        return replace(self, tensors=lowered, absolute=False, copied=True)


@dataclass(frozen=True)
class Score:
    """A method that scores weights; :func:`score` makes one of a function.

    Args:
        function: Takes the weights in scope by name, and the :class:`~mmlth.core.probe.Probe` of
            their model; gives :class:`Scores`, higher is more worth keeping. The weights and
            the model are left as they were.
        name: What settings, files and reports call it.
        probed: It needs the probe: it judges a weight by its part in the whole network, so that
            what is pruned already changes the scores of the rest. Default: False.
        iterations: In how many steps it prunes, unless the user says otherwise. Default: 1.
        magnitudes: Its numbers are absolute values of the weights. Default: False.
    """
    function: Callable[[Mapping[str, Tensor], Any], Scores]
    name: str
    probed: bool = False
    iterations: int = 1
    magnitudes: bool = False

    def __post_init__(self) -> None:
        # What registries and `inspect.signature` ask of a function.
        object.__setattr__(self, '__name__', self.name)
        object.__setattr__(self, '__wrapped__', self.function)

    def __call__(self, weights: Mapping[str, Tensor], probe: Optional[Probe] = None) -> Scores:
        """The scores of the weights.

        Raises:
            UserError: The probe lacks, or the function gives no number for each weight.
        """
        if self.probed and probe is None:
            raise UserError(
                f'the score {self.name!r} needs the model and its batches, it can only be drawn '
                "inside a training; use score='magnitude' here")
        scores = self.function(weights, probe)
        if not isinstance(scores, Scores):
            raise UserError(f'score {self.name!r} must return mmlth.core.Scores, got '
                            f'{type(scores).__name__}')
        check_like(f'score {self.name!r}', 'scores', weights, scores.tensors)
        for name, tensor in scores.tensors.items():
            if not tensor.is_floating_point():
                raise UserError(f'score {self.name!r}: the scores of {name} must be floating-point '
                                f'numbers, got {tensor.dtype}')
            # NaN passes through a maximum. The weights themselves have been looked at.
            if tensor is not weights[name] and any(
                    math.isnan(chunk.max()) for chunk in chunks(tensor)):
                raise UserError(f'score {self.name!r}: the scores of {name} must be numbers, but '
                                f'{int(tensor.isnan().sum())} of {tensor.numel()} are NaN')
        return scores


def score(name: Optional[str] = None, **properties: Any) -> Callable[[Callable], Score]:
    """Decorate a function as a :class:`Score`.

    Args:
        name: Default: None, the function's.
        properties: Other arguments of Score: ``@score(probed=True)``.
    """
    return lambda function: Score(function, name or function.__name__, **properties)


def as_score(method: Union[Score, Callable[..., Any]]) -> Score:
    """A Score, or a plain function of the weights as one; partials are named with arguments.

    Raises:
        UserError: It is neither.
    """
    if isinstance(method, Score):
        return method
    if isinstance(method, partial) and not method.args:
        whole = as_score(method.func)
        return replace(whole, function=partial(whole.function, **method.keywords),
                       name=named(whole.name, method.keywords))
    if not callable(method):
        raise UserError(f'a score is a function of weights, or mmlth.core.Score, got {method!r}')
    return Score(method, getattr(method, '__name__', type(method).__name__))


def named(name: str, arguments: Mapping[str, Any]) -> str:
    """The name of a method with arguments: ``'fisher(damping=0.1)'``."""
    listed = ', '.join(f'{key}={arguments[key]!r}' for key in sorted(arguments))
    return f'{name}({listed})' if listed else name


def check_like(method: str, what: str, weights: Mapping[str, Tensor],
               found: Mapping[str, Tensor]) -> None:
    """Raise a UserError unless a method gave a tensor of the shape of each weight."""
    if set(found) != set(weights):
        lacking, extra = sorted(set(weights) - set(found)), sorted(set(found) - set(weights))
        reason = f'that of {lacking[0]} lacks' if lacking else f'{extra[0]} is none of them'
        raise UserError(f'{method} must return {what} of the {len(weights)} weights that it got, '
                        f'got {len(found)}: {reason}')
    for name, weight in weights.items():
        shape = getattr(found[name], 'shape', None)
        if shape != weight.shape:
            raise UserError(f'{method}: the {what} of {name} must have the shape '
                            f'{tuple(weight.shape)}, got {shape and tuple(shape)}')


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise a UserError that names the first parameter with a NaN or infinity."""
    for name, tensor in tensors.items():
        # NaN passes through a maximum. A float64 may overflow only in the scores.
        if all(math.isfinite(abs(chunk).max()) for chunk in chunks(tensor)):
            continue
        bad = int((~torch.isfinite(tensor.detach())).sum())
        if bad:
            raise UserError(
                f'{name} has {bad} non-finite weights (NaN or infinity) of '
                f'{tensor.numel()}: the training diverged. Lower the learning rate '
                'or clip gradients, and draw the ticket from finite weights.')
