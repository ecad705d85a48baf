"""Let an optimizer hold only the surviving weights of a model.

Every masked parameter of the optimizer is replaced by a 1-D tensor of its surviving
entries. Before an update their gradients are gathered, after it the entries are
scattered back; pruned entries are touched by nothing and stay 0. Clipping sees the
surviving gradients only, and momentum and Adam state take density times the memory.
(The idea of wrapping the optimizer and leaving the model alone: jaxpruner, Lee et al.
2023, base_updater.py.)
"""
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .errors import UserError
from .mask import apply, check_fits


@dataclass
class _Entry:
    param: nn.Parameter     # full shape, used by the model
    compact: Tensor         # 1-D, used by the optimizer
    index: Tensor           # 1-D int64, flat positions of the surviving entries
    buffer: Tensor          # 1-D, the gathered gradient


class MaskBinding:
    """Binds masks to an optimizer; the pruned entries of the parameters become 0.

    The optimizer's groups keep their order and options, so that schedulers and
    paramwise settings hold. Its state may be that of a dense training, of which the
    surviving entries are kept, or compact already, when a ticket's own training is
    resumed. Parameters of the optimizer without a mask are left alone.

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
        self._entries: List[_Entry] = []
        self._optimizer = optimizer
        # Tensors hash by identity. A shared parameter is known by its first name, unless
        # the mask has another.
        self._names: Dict[Tensor, str] = {}
        for name in [*mask, *params]:
            self._names.setdefault(params[name], name)
        for group in optimizer.param_groups:
            for i, param in enumerate(group['params']):
                name = self._names.get(param)
                if name in mask:
                    entry = _make_entry(param, mask[name])
                    _move_state(optimizer, entry, name)
                    group['params'][i] = entry.compact
                    self._names[entry.compact] = name
                    self._entries.append(entry)

    def names(self) -> List[Optional[str]]:
        """The parameter's name for every index in the optimizer's ``state_dict()``.

        None for a tensor that is no parameter of the model.
        """
        return [self._names.get(param)
                for group in self._optimizer.param_groups for param in group['params']]

    def gather(self) -> None:
        """Hand the surviving gradients to the optimizer; under AMP, before they are unscaled."""
        for e in self._entries:
            # Read anew each time: hooks load weights, or write to ``param.data``, of which
            # nothing tells.
            torch.index_select(e.param.detach().reshape(-1), 0, e.index, out=e.compact.detach())
            # Frozen, unused in this iteration, or nothing survived: an empty gradient has
            # no infinity norm to clip by.
            if e.param.grad is None or not len(e.index):
                e.compact.grad = None
                continue
            torch.index_select(e.param.grad.reshape(-1), 0, e.index, out=e.buffer)
            e.compact.grad = e.buffer

    def scatter(self) -> None:
        """Copy the updated entries back into the model's parameters, all others are 0."""
        for e in self._entries:
            _write_back(e)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of the model's parameters, as the optimizer would."""
        for e in self._entries:
            if set_to_none:
                e.param.grad = None
            elif e.param.grad is not None:
                e.param.grad.zero_()


def _write_back(e: _Entry) -> None:
    with torch.no_grad():
        e.param.zero_()     # what was loaded meanwhile may be dense
        # scatter_ takes half the time of index_copy_.
        if e.param.is_contiguous():
            e.param.view(-1).scatter_(0, e.index, e.compact)
        else:
            flat = e.param.reshape(-1).scatter_(0, e.index, e.compact)
            e.param.copy_(flat.view(e.param.shape))


def _make_entry(param: nn.Parameter, keep: Tensor) -> _Entry:
    index = keep.to(param.device).reshape(-1).nonzero().view(-1)
    compact = param.detach().reshape(-1)[index].requires_grad_(param.requires_grad)
    return _Entry(param, compact, index, torch.empty_like(compact))


def _move_state(optimizer: Optimizer, entry: _Entry, name: str) -> None:
    old = optimizer.state.pop(entry.param, None)
    if old is None:
        return
    new = {}
    for key, value in old.items():
        if not isinstance(value, Tensor) or value.dim() == 0:
            new[key] = value
        elif value.shape == entry.compact.shape:
            new[key] = value
        elif value.shape == entry.param.shape:
            new[key] = value.reshape(-1)[entry.index]
        else:
            raise UserError(
                f'{type(optimizer).__name__} keeps the state {key!r} of {name} in shape '
                f'{tuple(value.shape)}, neither that of the parameter '
                f'{tuple(entry.param.shape)} nor one value per surviving weight '
                f'({len(entry.index)}); use an optimizer with elementwise state, or '
                "RewindHook(schedule='restart')")
    optimizer.state[entry.compact] = new
