"""Optim wrappers whose every update leaves pruned weights exactly 0."""
import inspect
from typing import Any, Callable, Dict, List, Mapping, Optional

from mmengine.optim import AmpOptimWrapper, BaseOptimWrapper, OptimWrapper
from torch import Tensor, nn

from mmlth.core import MaskBinding
from mmlth.core.errors import UserError
from mmlth.registry import OPTIM_WRAPPERS

# What the AMP wrapper takes and the other does not: loss_scale, dtype, ...
AMP_ARGUMENTS = (set(inspect.signature(AmpOptimWrapper.__init__).parameters)
                 - set(inspect.signature(OptimWrapper.__init__).parameters) - {'kwargs'})


class MaskAware(BaseOptimWrapper):
    """What both wrappers share; mixed in before an mmengine optim wrapper.

    ``before_step``, if it is set, is called first in every :meth:`step` of a bound wrapper, where
    masks may change: the gradients, scaled under AMP, are whole then. True takes the step's place.
    """
    binding: Optional[MaskBinding] = None
    before_step: Optional[Callable[[], bool]] = None

    def bind(self, params: Mapping[str, nn.Parameter], mask: Mapping[str, Tensor]) -> None:
        """Keep the pruned entries of ``params`` at 0 from now on.

        Called by :class:`TicketHook` once the start weights are in place. Until then
        the wrapper behaves as its base class.

        Args:
            params: The bare model's parameters by full name.
            mask: ``{parameter name: BoolTensor}``, True where the weight survives.
        """
        if self.binding is not None:
            raise RuntimeError('this optim wrapper is bound to masks already')
        self.binding = MaskBinding(self.optimizer, params, mask)
        self.binding.scatter()      # nothing is held twice before the first update

    @property
    def mask(self) -> Optional[Dict[str, Tensor]]:
        """The masks that are bound, worked out anew each time; None if none are."""
        return None if self.binding is None else self.binding.mask

    @property
    def bound(self) -> MaskBinding:
        """The binding, where there must be one."""
        if self.binding is None:
            raise RuntimeError('this optim wrapper is not bound to masks yet')
        return self.binding

    def rebind(self, mask: Mapping[str, Tensor]) -> None:
        """Change the masks between two updates: see :meth:`MaskBinding.rebind`."""
        self.bound.rebind(mask)

    def names(self) -> Optional[List[Optional[str]]]:
        """The parameter's name for every index in the optimizer's state; None if not bound."""
        return None if self.binding is None else self.binding.names()

    def step(self, **kwargs: Any) -> None:
        """Update the surviving weights. AMP may skip the update; zeros stay zeros.

        The gradients of masked parameters are given up: they read as NaN until
        :meth:`zero_grad`, which follows in ``update_params``.
        """
        if self.binding is None:
            return super().step(**kwargs)
        if self.before_step is not None and self.before_step():
            return None
        self.binding.gather()
        super().step(**kwargs)
        self.binding.scatter()

    def zero_grad(self, **kwargs: Any) -> None:
        """Clear the gradients of the optimizer and of the model's masked parameters."""
        super().zero_grad(**kwargs)
        if self.binding is not None:
            self.binding.zero_grad(**kwargs)


@OPTIM_WRAPPERS.register_module()
class MaskedOptimWrapper(MaskAware, OptimWrapper):
    """An ``OptimWrapper`` that trains a ticket; takes the same arguments.

    After :meth:`bind` the optimizer holds only the surviving weights: clipping sees
    their gradients alone, and its state takes density times the memory. From half of the
    weights pruned on, a training takes no more memory than that of the dense model.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        amp = sorted(AMP_ARGUMENTS & set(kwargs))
        if amp:
            raise UserError(f"MaskedOptimWrapper takes no {', '.join(amp)}: for AMP, set "
                            "optim_wrapper.type to 'mmlth.MaskedAmpOptimWrapper'")
        super().__init__(*args, **kwargs)


@OPTIM_WRAPPERS.register_module()
class MaskedAmpOptimWrapper(MaskAware, AmpOptimWrapper):
    """An ``AmpOptimWrapper`` that trains a ticket; takes the same arguments."""
