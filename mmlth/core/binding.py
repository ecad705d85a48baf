"""Let an optimizer hold only the surviving weights of a model.

Every masked parameter of the optimizer is replaced by a 1-D tensor of its surviving
entries. Before an update their weights and gradients are gathered, after it the weights are
scattered back; pruned entries are touched by nothing and stay 0. Clipping sees the
surviving gradients only, and momentum and Adam state take density times the memory.
(The idea of wrapping the optimizer and leaving the model alone: jaxpruner, Lee et al.
2023, base_updater.py.)

What is gathered lives from ``gather`` to ``scatter``, in the place of the full gradients
(:mod:`mmlth.core.compact`). So a ticket of density d, with s values of state a weight, takes
8 + 4 (s + 1) d bytes a weight before and 4 + 4 (s + 3) d within an update, a dense training
8 + 4 s: with d = 0.5 no more for SGD with momentum (12) and less for Adam (14 against 16).
A layer of which nothing is pruned stays in the optimizer as it is.

Masks may change between two updates (:meth:`MaskBinding.rebind`). Only the old and the new one
decide what becomes of a weight (as google-research/rigl has it):

==================================  ==============  ============  =============================
what                                in both masks   dropped       grown
==================================  ==============  ============  =============================
weight                              kept            0 at once     0
momentum, any elementwise state     kept            discarded     0; Adagrad's ``sum``: its
                                                                  initial value
scalar state (``step``)             the layer's, it goes on
==================================  ==============  ============  =============================

Adam's first step of a grown weight is thus up to (1 - beta1) / sqrt(1 - beta2), 3.2 learning
rates. A layer of which nothing survives takes no steps.
"""
from typing import Dict, List, Mapping, Optional

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .compact import CompactGroup, make_groups
from .errors import UserError
from .mask import Mask, apply, check_fits
from .optimizer_state import check_growing, move_state


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
        inner = getattr(optimizer, 'optim', None)       # of a ZeroRedundancyOptimizer
        if isinstance(inner, Optimizer):
            raise UserError(f'{kind} updates by an inner optimizer that masks do not reach; use '
                            f'{type(inner).__name__} itself')
        check_fits(mask, params, kind)
        apply(mask, params)     # also to what the optimizer does not hold
        self._optimizer = optimizer
        # Tensors hash by identity. A shared parameter is known by its first name, unless
        # the mask has another.
        self._names: Dict[Tensor, str] = {}
        for name in [*mask, *params]:
            self._names.setdefault(params[name], name)
        self._params = {name: params[name] for name in mask}
        # What the optimizer has of each: the parameter itself, or its survivors.
        self._held: Dict[str, Tensor] = {
            name: params[name] for name in self.names() if name is not None and name in mask}
        self._not_held = {
            name: keep.cpu() for name, keep in mask.items() if name not in self._held}
        self._groups: List[CompactGroup] = []
        self._hold(mask, mask)      # the state may be compact already

    @property
    def mask(self) -> Mask:
        """The masks as they are bound, on the CPU; worked out anew each time."""
        found = {e.name: keep.cpu() for g in self._groups
                 for e, keep in zip(g.entries, g.survivors.masks())}
        found.update(self._not_held)
        return {name: found[name] if name in found else torch.ones(param.shape, dtype=torch.bool)
                for name, param in self._params.items()}

    def names(self) -> List[Optional[str]]:
        """The parameter's name for every index in the optimizer's ``state_dict()``.

        None for a tensor that is no parameter of the model.
        """
        return [self._names.get(param)
                for group in self._optimizer.param_groups for param in group['params']]

    def gradients(self) -> Dict[str, Optional[Tensor]]:
        """The gradients of all weights with a mask, pruned ones too, by name and in full shape.

        To be read before :meth:`gather`, which gives them up. None where there is none.
        """
        found = {e.name: e.gradient() for group in self._groups for e in group.entries}
        return {name: found[name] if name in found else param.grad
                for name, param in self._params.items()}

    @torch.no_grad()
    def rebind(self, mask: Mapping[str, Tensor]) -> None:
        """Change the masks between two updates; called before :meth:`gather`.

        The table above says what becomes of weights and state. Gradients stay as they are.

        Args:
            mask: For the same parameters as before.

        Raises:
            UserError: Names or shapes are others, or weights grow and the optimizer is Rprop.
        """
        if mask.keys() != self._params.keys():
            raise UserError(f'the masks of a training keep their {len(self._params)} parameters, '
                            f'got {sorted(mask.keys() ^ self._params.keys())[0]!r} in only one '
                            'of the old and the new ones')
        check_fits(mask, self._params, 'the new mask')
        earlier = self.mask
        if any(bool((keep.cpu() & ~earlier[name]).any()) for name, keep in mask.items()):
            check_growing(self._optimizer)
        self.scatter()      # hooks may have loaded dense weights
        apply(self._not_held, self._params)
        apply(mask, self._params)
        self._not_held = {name: mask[name].cpu() for name in self._not_held}
        self._hold(mask, earlier)
        self.scatter()

    def _hold(self, mask: Mapping[str, Tensor], earlier: Mapping[str, Tensor]) -> None:
        """Hand the survivors of ``mask`` to the optimizer, in place of what it holds now."""
        for group in self._groups:
            group.release()
        self._groups = make_groups({name: self._params[name] for name in self._held
                                    if not mask[name].all()}, mask)
        compact = {e.name: e.compact for group in self._groups for e in group.entries}
        replaced: Dict[Tensor, Tensor] = {}
        for name, old in self._held.items():
            param = self._params[name]
            new = replaced[old] = compact.get(name, param)
            move_state(self._optimizer, name, param, old, new, earlier[name], mask[name])
            if old is not param:
                del self._names[old]
            self._names[new], self._held[name] = name, new
        for options in self._optimizer.param_groups:
            options['params'] = [replaced.get(param, param) for param in options['params']]

    @torch.no_grad()
    def gather(self) -> None:
        """Hand the survivors to the optimizer; under AMP, before gradients are unscaled.

        The full gradients are given up: until the next ``zero_grad`` they read as NaN, and
        gathering again hands over the same.
        """
        for group in self._groups:      # all of them first: they make room for the weights
            group.gather_gradients()
        for group in self._groups:
            group.gather_weights()

    @torch.no_grad()
    def scatter(self) -> None:
        """Copy the updated entries back into the model's parameters, all others are 0.

        From then on the optimizer's tensors read as NaN, until they are gathered again.
        """
        for group in self._groups:
            group.scatter()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of the model's parameters, as the optimizer would."""
        for group in self._groups:
            group.zero_grad(set_to_none)
