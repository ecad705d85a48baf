"""The surviving entries of a few parameters, which an optimizer holds in their place.

What is gathered lives from :meth:`CompactGroup.gather_weights` to :meth:`CompactGroup.scatter`.
It finds its place where the full gradients were: these are given up layer by layer, and
``param.grad`` is a placeholder until the next ``zero_grad``.
"""
import weakref
from dataclasses import dataclass
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from .survivors import Survivors, grouped


@dataclass(eq=False)
class Entry:
    """One parameter and what the optimizer holds of it."""
    name: str
    param: nn.Parameter     # full shape, used by the model
    compact: Tensor         # 1-D, used by the optimizer
    blank: Tensor           # the parameter's shape, NaN, without memory
    gathered: bool = True   # whether ``compact`` holds the weights
    handle: Any = None      # of the hook at the parameter, once it has gradients

    def gradient(self) -> Optional[Tensor]:
        """The full gradient; None if there is none, or it was given up."""
        return None if self.param.grad is self.blank else self.param.grad

    def was_cleared(self) -> bool:
        """Whether ``model.zero_grad`` has zeroed the placeholder; some torch releases allow it."""
        if not self.blank._version:
            return False
        self.blank = _blank(self.param.new_full((), float('nan')), self.param.shape)
        return True

    def follow(self) -> None:
        """Need gradients if the parameter does: hooks freeze layers, and let them train later."""
        self.compact.requires_grad_(self.param.requires_grad)
        if self.param.requires_grad and self.handle is None:
            self.handle = self.param.register_hook(partial(_begin_anew, weakref.ref(self)))


@dataclass
class CompactGroup:
    """Parameters that are gathered and scattered together."""
    entries: List[Entry]
    survivors: Survivors

    def gather_gradients(self) -> None:
        """Hand the gradients of the survivors over, and give the full ones up."""
        fresh: Dict[Entry, Tensor] = {}
        for e in self.entries:
            e.follow()      # clipping leaves out what needs none
            # Frozen, unused in this iteration, or nothing survived: an empty gradient has no
            # infinity norm to clip by.
            if e.param.grad is None or not len(e.compact):
                e.compact.grad = None
            elif e.param.grad is not e.blank:
                fresh[e] = e.param.grad
            elif e.was_cleared():
                e.param.grad = e.blank
                e.compact.grad = torch.zeros_like(e.compact)
        if fresh:
            gradients = self.survivors.read([fresh.get(e, e.param) for e in self.entries])
            for e, values in zip(self.entries, gradients):
                if e in fresh:
                    e.compact.grad, e.param.grad = values, e.blank

    def gather_weights(self) -> None:
        """Hand the survivors over if any of them has a gradient.

        They are read anew each time: hooks load weights, or write to ``param.data``, of which
        nothing tells.
        """
        if any(e.compact.grad is not None for e in self.entries):
            weights = self.survivors.read([e.param for e in self.entries])
            for e, values in zip(self.entries, weights):
                e.compact.data, e.gathered = values, True

    def scatter(self) -> None:
        """Copy the survivors back into the parameters, all other entries are 0."""
        params = [e.param for e in self.entries]
        if all(e.gathered for e in self.entries):
            values: Sequence[Tensor] = [e.compact.detach() for e in self.entries]
        else:       # no gradient, no update; but what was loaded meanwhile may be dense
            values = self.survivors.read(params)
        self.survivors.write(values, params)
        for e in self.entries:
            e.compact.data, e.gathered = _blank(e.blank, e.compact.shape), False

    def zero_grad(self, set_to_none: bool) -> None:
        """Clear the gradients, as the optimizer would."""
        for e in self.entries:
            e.compact.grad = None
            if set_to_none:
                e.param.grad = None
            elif e.param.grad is e.blank:
                e.param.grad = torch.zeros_like(e.param)
            elif e.param.grad is not None:
                e.param.grad.zero_()

    def release(self) -> None:
        """Leave the parameters as they were before; a gradient that was given up is none."""
        for e in self.entries:
            if e.param.grad is e.blank:
                e.param.grad = None
            if e.handle is not None:
                e.handle.remove()


def make_groups(params: Mapping[str, nn.Parameter],
                mask: Mapping[str, Tensor]) -> List[CompactGroup]:
    """The survivors of ``params``, as after ``gather_weights``; small ones share a group."""
    names, groups = list(params), []
    nan: Dict[Tuple[torch.dtype, torch.device], Tensor] = {}
    for numbers in grouped(list(params.values())):
        chosen = [names[i] for i in numbers]
        tensors = [params[name] for name in chosen]
        survivors = Survivors([mask[name].to(params[name].device) for name in chosen])
        kind = (tensors[0].dtype, tensors[0].device)
        nan.setdefault(kind, tensors[0].new_full((), float('nan')))
        entries = [
            Entry(name, param, values.data, _blank(nan[kind], param.shape))
            for name, param, values in zip(chosen, tensors, survivors.read(tensors))]
        for entry in entries:
            entry.follow()
        groups.append(CompactGroup(entries, survivors))
    return groups


def _blank(value: Tensor, shape: Sequence[int]) -> Tensor:
    """A tensor that repeats one entry and takes no memory; what writes to it raises."""
    return value.as_strided((), ()).expand(shape).data     # .data counts its own writes


def _begin_anew(entry: 'weakref.ref[Entry]', gradient: Tensor) -> None:
    """Called before a gradient is accumulated; the parameter must not keep itself alive."""
    e = entry()
    if e is not None and e.param.grad is e.blank and e.was_cleared():
        e.param.grad = None
