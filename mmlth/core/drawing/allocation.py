"""How sparsity is spread over layers: a method, and what is known of its masks."""
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Mapping, Optional, Union

import torch
from torch import Tensor

from ..errors import UserError
from ..layers import Layers
from ..mask import Mask, pruned, size
from .compute import check_budget, check_compute_room
from .floor import check_room, floor_counts
from .score import Score, Scores, check_like, named


@dataclass(frozen=True)
class Allocation:
    """A method that prunes the lowest scores; :func:`allocation` makes one of a function.

    Args:
        function: Takes the scores, the sparsity and the floor: the fraction of a layer's weights
            that survives in any case (rounded down, but at least one), 0 for none. Gives the
            mask. A score of ``-inf`` is pruned already.
        name: What settings, files and reports call it.
        exact: Of what exactly ``sparsity`` is pruned: ``'scope'``, round(sparsity * N) of all N
            weights; ``'layer'``, so of every layer, but for its floor; ``'macs'``, as many
            multiply-adds as whole weights allow; None, of nothing. Default: ``'scope'``.
        needs_macs: It looks at the multiply-adds of the scores' layers. Default: False.
        fixed: The only sparsity that it can give, in one step. Default: None, any.
        magnitudes: It takes scores that are magnitudes alone. Default: False.
        by_shape: How many weights of each layer survive does not depend on their scores.
            Default: False.
        remark: Says of a mask, and the layers, what its user may not have meant; '' if nothing.
            Default: None, never anything.
    """
    function: Callable[[Scores, float, float], Mask]
    name: str
    exact: Optional[str] = 'scope'
    needs_macs: bool = False
    fixed: Optional[float] = None
    magnitudes: bool = False
    by_shape: bool = False
    remark: Optional[Callable[[Mapping[str, Tensor], Layers], str]] = None

    def __post_init__(self) -> None:
        # What registries and `inspect.signature` ask of a function.
        object.__setattr__(self, '__name__', self.name)
        object.__setattr__(self, '__wrapped__', self.function)
        if self.exact not in _COUNTS:
            raise UserError(f"allocation {self.name!r}: exact must be 'scope', 'layer', 'macs' or "
                            f'None, got {self.exact!r}')

    def __call__(self, scores: Scores, sparsity: float, floor: float = 0.0) -> Mask:
        """The mask.

        Raises:
            UserError: The floor leaves too little to prune, or the function gives no mask of each
                weight that prunes what :attr:`exact` says.
        """
        who = f'allocation {self.name!r}'
        mask = self.function(scores, sparsity, floor)
        if not isinstance(mask, Mapping):
            raise UserError(f'{who} must return a mask by parameter name, got '
                            f'{type(mask).__name__}')
        check_like(who, 'masks', scores.tensors, mask)
        for name, keep in mask.items():
            if keep.dtype != torch.bool:
                raise UserError(f'{who}: the masks of {name} must be of torch.bool, got '
                                f'{keep.dtype}')
        try:
            self.check_count(mask, sparsity, floor, scores.costs())
        except UserError as error:
            raise UserError(f'{who} is said to be exact ({self.exact!r}): {error}') from None
        return {name: mask[name] for name in scores.tensors}

    def check(self, sparsity: float, score: Score, iterations: int) -> None:
        """Raise a UserError unless it fits the other settings."""
        if self.magnitudes and not score.magnitudes:
            raise UserError(
                f'allocation {self.name!r} weighs squared magnitudes against multiply-adds: write '
                f"score='magnitude', or take another allocation, got {score.name!r}")
        if self.fixed is None:
            return
        if abs(sparsity - self.fixed) > 1e-9:
            raise UserError(f'allocation {self.name!r} fixes the sparsity of every round: write '
                            f'sparsity={self.fixed:.10g} and rounds=1, got sparsity={sparsity!r}')
        if iterations != 1:
            raise UserError(f'allocation {self.name!r} is drawn in one step: write iterations=1, '
                            f'got {iterations!r}')

    def check_room(self, weights: Mapping[str, Tensor], sparsity: float, floor: float,
                   costs: Mapping[str, float]) -> None:
        """Raise a UserError if the floors of all layers are more than may survive of their sum.

        Layer by layer there is always room.

        Args:
            weights: In scope, by parameter name.
            sparsity: Of all of them, or of their multiply-adds.
            floor: Fraction of each layer's weights that is to survive.
            costs: Multiply-adds of one weight of each layer, if they are counted.
        """
        if self.exact == 'macs':
            check_compute_room(weights, sparsity, floor, costs)
        elif self.exact == 'scope':
            check_room(weights, sparsity, floor)

    def check_count(self, mask: Mapping[str, Tensor], sparsity: float, floor: float = 0.0,
                    costs: Optional[Mapping[str, float]] = None) -> str:
        """Raise a UserError unless the mask prunes what :attr:`exact` says.

        Args:
            mask: By parameter name.
            sparsity: That it was drawn with.
            floor: Likewise. Default: 0.
            costs: Multiply-adds of one weight of each layer. Default: none.

        Returns:
            str: What it prunes, in words that go on ``'as sparsity 0.8 says'``.
        """
        return _COUNTS[self.exact](mask, sparsity, floor, costs or {})


def allocation(name: Optional[str] = None, **properties: Any) -> Callable[[Callable], Allocation]:
    """Decorate a function as an :class:`Allocation`.

    Args:
        name: Default: None, the function's.
        properties: Other arguments of Allocation: ``@allocation(exact=None)``.
    """
    return lambda function: Allocation(function, name or function.__name__, **properties)


def as_allocation(method: Union[Allocation, Callable[..., Any]]) -> Allocation:
    """An Allocation, or a plain function as one; partials are named with their arguments.

    Raises:
        UserError: It is neither.
    """
    if isinstance(method, Allocation):
        return method
    if isinstance(method, partial) and not method.args:
        whole = as_allocation(method.func)
        return replace(whole, function=partial(whole.function, **method.keywords),
                       name=named(whole.name, method.keywords))
    if not callable(method):
        raise UserError('an allocation is a function of scores, or mmlth.core.Allocation, got '
                        f'{method!r}')
    return Allocation(method, getattr(method, '__name__', type(method).__name__))


def _of_nothing(mask: Mapping[str, Tensor], sparsity: float, floor: float,
                costs: Mapping[str, float]) -> str:
    return ''


def _of_scope(mask: Mapping[str, Tensor], sparsity: float, floor: float,
              costs: Mapping[str, float]) -> str:
    _check_pruned(mask, round(sparsity * size(mask)), sparsity, '')
    return ''


def _of_each_layer(mask: Mapping[str, Tensor], sparsity: float, floor: float,
                   costs: Mapping[str, float]) -> str:
    least = floor_counts(mask, floor)
    for name, keep in mask.items():
        wanted = min(round(sparsity * keep.numel()), keep.numel() - least[name])
        _check_pruned({name: keep}, wanted, sparsity, f' of {name}')
    return ' of every layer'


def _of_multiply_adds(mask: Mapping[str, Tensor], sparsity: float, floor: float,
                      costs: Mapping[str, float]) -> str:
    check_budget(mask, sparsity, costs)
    return ' of the multiply-adds'


def _check_pruned(mask: Mapping[str, Tensor], wanted: int, sparsity: float, whose: str) -> None:
    found = pruned(mask)
    if found != wanted:
        raise UserError(f'sparsity {sparsity} of {size(mask)} weights{whose} is {wanted}, but '
                        f'{found} are pruned')


_COUNTS = {None: _of_nothing, 'scope': _of_scope, 'layer': _of_each_layer,
           'macs': _of_multiply_adds}
