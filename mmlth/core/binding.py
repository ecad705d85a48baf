"""Let an optimizer hold only the surviving weights of a model.

Every masked parameter of the optimizer is replaced by a 1-D tensor of its surviving
entries. Before an update their weights and gradients are gathered, after it the weights are
scattered back; pruned entries are touched by nothing and stay 0. Clipping sees the
surviving gradients only, and momentum and Adam state take density times the memory.
(The idea of wrapping the optimizer and leaving the model alone: jaxpruner, Lee et al.
2023, base_updater.py.)

What is gathered lives from ``gather`` to ``scatter``. It finds its place where the full
gradients were: these are given up layer by layer, and ``param.grad`` is a placeholder until
the next ``zero_grad``. So a ticket of density d, with s values of state a weight, takes
8 + 4 (s + 1) d bytes a weight before and 4 + 4 (s + 3) d within an update, a dense training
8 + 4 s: with d = 0.5 no more for SGD with momentum (12) and less for Adam (14 against 16).
A layer of which nothing is pruned stays in the optimizer as it is.
"""
import weakref
from dataclasses import dataclass
from functools import partial
from typing import Dict, List, Mapping, Optional

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .errors import UserError
from .mask import Mask, apply, check_fits
from .survivors import Survivors, grouped


@dataclass(eq=False)
class _Entry:
    name: str
    param: nn.Parameter     # full shape, used by the model
    compact: Tensor         # 1-D, used by the optimizer
    blank: Tensor           # the parameter's shape, NaN, without memory
    gathered: bool = True   # whether ``compact`` holds the weights


@dataclass
class _Group:
    entries: List[_Entry]
    survivors: Survivors


class MaskBinding:
    """Binds masks to an optimizer; the pruned entries of the parameters become 0.

    The optimizer's groups keep their order and options, so that schedulers and
    paramwise settings hold. Its state may be that of a dense training, of which the
    surviving entries are kept, or compact already, when a ticket's own training is
    resumed. Parameters of the optimizer without a mask are left alone, and those of whose
    mask nothing is pruned. A new binding is as after :meth:`gather`.

    Args:
        optimizer: Any optimizer whose state per parameter is scalar or elementwise.
        params: The model's parameters by name.
        mask: Masks by parameter name.

    Raises:
        UserError: A mask has no parameter, or the optimizer's state cannot be masked.
    """

    def __init__(self, optimizer: Optimizer, params: Mapping[str, nn.Parameter],
                 mask: Mapping[str, Tensor]):
        kind = type(optimizer).__name__
        if isinstance(getattr(optimizer, 'optim', None), Optimizer):    # ZeroRedundancyOptimizer
            raise UserError(f'{kind} updates by an inner optimizer that masks do not reach; use '
                            f'{type(optimizer.optim).__name__} itself')
        check_fits(mask, params, kind)
        apply(mask, params)     # also to what the optimizer does not hold
        self._optimizer = optimizer
        # Tensors hash by identity. A shared parameter is known by its first name, unless
        # the mask has another.
        self._names: Dict[Tensor, str] = {}
        for name in [*mask, *params]:
            self._names.setdefault(params[name], name)
        held = {name: params[name] for name in self.names() if name in mask}
        self._shapes = {name: keep.shape for name, keep in mask.items()}
        self._not_held = {name: keep for name, keep in mask.items() if name not in held}
        self._groups = _make_groups(
            {name: param for name, param in held.items() if not mask[name].all()}, mask)
        compact = {e.param: e.compact for g in self._groups for e in g.entries}
        for name, param in held.items():
            _move_state(optimizer, param, compact.get(param, param), mask[name], name)
        self._names.update({compact[held[name]]: name for name in held if held[name] in compact})
        for group in optimizer.param_groups:
            group['params'] = [compact.get(param, param) for param in group['params']]

    @property
    def mask(self) -> Mask:
        """The masks as they are bound, on the CPU; worked out anew each time."""
        found = {e.name: keep.cpu() for g in self._groups
                 for e, keep in zip(g.entries, g.survivors.masks())}
        found.update(self._not_held)
        return {name: found[name] if name in found else torch.ones(shape, dtype=torch.bool)
                for name, shape in self._shapes.items()}

    def names(self) -> List[Optional[str]]:
        """The parameter's name for every index in the optimizer's ``state_dict()``.

        None for a tensor that is no parameter of the model.
        """
        return [self._names.get(param)
                for group in self._optimizer.param_groups for param in group['params']]

    @torch.no_grad()
    def gather(self) -> None:
        """Hand the survivors to the optimizer; under AMP, before gradients are unscaled.

        The full gradients are given up: until the next ``zero_grad`` they read as NaN, and
        gathering again hands over the same.
        """
        for group in self._groups:      # all of them first: they make room for the weights
            _gather_gradients(group)
        for group in self._groups:
            # Read anew each time: hooks load weights, or write to ``param.data``, of which
            # nothing tells.
            if any(e.compact.grad is not None for e in group.entries):
                weights = group.survivors.read([e.param for e in group.entries])
                for e, values in zip(group.entries, weights):
                    e.compact.data, e.gathered = values, True

    @torch.no_grad()
    def scatter(self) -> None:
        """Copy the updated entries back into the model's parameters, all others are 0.

        From then on the optimizer's tensors read as NaN, until they are gathered again.
        """
        for group in self._groups:
            params = [e.param for e in group.entries]
            if all(e.gathered for e in group.entries):
                values = [e.compact.detach() for e in group.entries]
            else:       # no gradient, no update; but what was loaded meanwhile may be dense
                values = group.survivors.read(params)
            group.survivors.write(values, params)
            for e in group.entries:
                e.compact.data, e.gathered = _blank(e.blank, e.compact.shape), False

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of the model's parameters, as the optimizer would."""
        for e in (e for group in self._groups for e in group.entries):
            e.compact.grad = None
            if set_to_none:
                e.param.grad = None
            elif e.param.grad is e.blank:
                e.param.grad = torch.zeros_like(e.param)
            elif e.param.grad is not None:
                e.param.grad.zero_()


def _make_groups(params: Mapping[str, nn.Parameter], mask: Mapping[str, Tensor]) -> List[_Group]:
    names, groups, nan = list(params), [], {}
    for numbers in grouped(list(params.values())):
        chosen = [names[i] for i in numbers]
        tensors = [params[name] for name in chosen]
        survivors = Survivors([mask[name].to(params[name].device) for name in chosen])
        kind = (tensors[0].dtype, tensors[0].device)
        nan.setdefault(kind, tensors[0].new_full((), float('nan')))
        entries = [
            _Entry(name, param, values.data.requires_grad_(param.requires_grad),
                   _blank(nan[kind], param.shape))
            for name, param, values in zip(chosen, tensors, survivors.read(tensors))]
        for entry in entries:
            if entry.param.requires_grad:
                entry.param.register_hook(partial(_begin_anew, weakref.ref(entry)))
        groups.append(_Group(entries, survivors))
    return groups


def _blank(value: Tensor, shape) -> Tensor:
    """A tensor that repeats one entry and takes no memory; what writes to it raises."""
    return value.as_strided((), ()).expand(shape).data     # .data counts its own writes


def _was_cleared(e: _Entry) -> bool:
    """Whether ``model.zero_grad`` has zeroed the placeholder, which some torch releases allow."""
    if not e.blank._version:
        return False
    e.blank = _blank(e.param.new_full((), float('nan')), e.param.shape)
    return True


def _begin_anew(entry: 'weakref.ref[_Entry]', gradient: Tensor) -> None:
    """Called before a gradient is accumulated; the parameter must not keep itself alive."""
    e = entry()
    if e is not None and e.param.grad is e.blank and _was_cleared(e):
        e.param.grad = None


def _gather_gradients(group: _Group) -> None:
    fresh = []
    for e in group.entries:
        # Frozen, unused in this iteration, or nothing survived: an empty gradient has no
        # infinity norm to clip by.
        if e.param.grad is None or not len(e.compact):
            e.compact.grad = None
        elif e.param.grad is not e.blank:
            fresh.append(e)
        elif _was_cleared(e):
            e.param.grad = e.blank
            e.compact.grad = torch.zeros_like(e.compact)
    if fresh:
        gradients = group.survivors.read(
            [e.param.grad if e in fresh else e.param for e in group.entries])
        for e, values in zip(group.entries, gradients):
            if e in fresh:
                e.compact.grad, e.param.grad = values, e.blank


def _move_state(optimizer: Optimizer, param: nn.Parameter, held: Tensor, keep: Tensor,
                name: str) -> None:
    """Hand the parameter's state over to the tensor that the optimizer holds from now on."""
    old = optimizer.state.pop(param, None)
    if old is None:
        return
    new = {}
    for key, value in old.items():
        if not isinstance(value, Tensor) or value.dim() == 0 or value.shape == held.shape:
            new[key] = value
        elif held is not param and value.shape == param.shape:
            new[key] = value.reshape(-1)[keep.to(value.device).reshape(-1)]
        elif held is param and value.shape == (param.numel(),):     # of an older mmlth
            new[key] = torch.empty_like(param, dtype=value.dtype).copy_(value.view(param.shape))
        else:
            raise UserError(
                f'{type(optimizer).__name__} keeps the state {key!r} of {name} in shape '
                f'{tuple(value.shape)}, neither that of the parameter '
                f'{tuple(param.shape)} nor one value per surviving weight '
                f'({int(torch.count_nonzero(keep))}); use an optimizer with elementwise state, '
                "or RewindHook(schedule='restart')")
    optimizer.state[held] = new
