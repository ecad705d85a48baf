"""What a detector decides while it computes its loss, held fixed between passes.

Proposals, assignments and samples are chosen by the weights, in steps: a weight that moves a
little may choose others, and the loss jumps. A difference of two losses, or gradients, then
measures the jumps and not the weights. What depends on the weights smoothly goes on doing so.
"""
import copy
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Tuple

from torch import Tensor, nn

from mmlth.core.random_state import random_state, set_random_state

_CHOOSING = ('assign', 'sample')        # of mmdet's and mmpose's assigners and samplers
_PROPOSING = 'predict_by_feat'          # of heads: in a loss, the proposals of a first stage


class Decisions:
    """The decisions of a first pass through a model's loss, made again in all later ones.

    Args:
        model: Whose modules have assigners, samplers and heads.
    """

    def __init__(self, model: nn.Module):
        self.model = model
        self.made: Dict[int, List[Tuple[Any, Any]]] = {}    # place -> results, random states
        self.next: Dict[int, int] = {}
        self.first = True

    def begin(self) -> None:
        """A pass begins: the first decides, later ones do as it did."""
        self.first = not self.made
        self.next = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Record and replay within; put the methods back, also after an exception."""
        self.made = {}
        places = list(_places(self.model))
        for number, (owner, method) in enumerate(places):
            owner.__dict__[method] = self._holding(number, getattr(owner, method))
        try:
            yield
        finally:
            for owner, method in places:
                del owner.__dict__[method]
            self.made = {}

    def _holding(self, place: int, method: Callable) -> Callable:
        def decide(*args: Any, **kwargs: Any) -> Any:
            made = self.made.setdefault(place, [])
            turn = self.next.get(place, 0)
            self.next[place] = turn + 1
            if self.first or turn >= len(made):
                made.append((_kept(method(*args, **kwargs)), random_state()))
            else:       # noise behind it must not depend on whether it drew numbers
                set_random_state(made[turn][1])
            return _kept(made[turn][0])
        return decide


def _places(model: nn.Module) -> Iterator[Tuple[Any, str]]:
    """Objects and the names of their methods that decide; each once.

    None of a two-stage DETR (mmdet's ``as_two_stage``): it takes its queries by score, and an
    assignment to the places of queries would be one to other queries in the next pass.
    """
    if getattr(model, 'as_two_stage', False):
        return
    seen = set()
    for module in model.modules():
        if hasattr(module, _PROPOSING):
            yield module, _PROPOSING
        for value in list(module.__dict__.values()):
            for owner in value if isinstance(value, (list, tuple)) else [value]:
                for method in _CHOOSING:
                    if id(owner) not in seen and hasattr(owner, '__dict__') and callable(
                            getattr(owner, method, None)):
                        seen.add(id(owner))
                        yield owner, method


def _kept(value: Any) -> Any:
    """A copy without graph: results are changed in place by what takes them."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, (list, tuple, set)):
        parts = map(_kept, value)
        return type(value)(*parts) if hasattr(value, '_fields') else type(value)(parts)
    if isinstance(value, dict):
        return {key: _kept(item) for key, item in value.items()}
    if hasattr(value, '__dict__') and not isinstance(value, (type, nn.Module)):
        twin = copy.copy(value)
        twin.__dict__.update({key: _kept(item) for key, item in value.__dict__.items()})
        return twin
    return value
