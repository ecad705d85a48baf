"""What happens to each layer of a model while it works on an example."""
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import (Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence,
                    Tuple, Union)
from weakref import ref

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from mmlth.core.errors import UserError
from mmlth.core.flops import WATCHES


Layer = Union[nn.Conv2d, nn.Linear]


@dataclass
class Use:
    """One layer on the example."""
    shapes: List[Tuple[int, ...]] = field(default_factory=list)    # of the input of each call
    elsewhere: bool = False     # its weight or bias is read outside its own forward
    reads: int = 0              # operations that read its outputs, in all calls
    norms: List[_BatchNorm] = field(default_factory=list)  # batch norms among them


def run(model: nn.Module, example: Any) -> Any:
    """The model on the example: a dict goes to ``test_step``, a tuple is several arguments."""
    with torch.no_grad():
        step = getattr(model, 'test_step', None)
        if isinstance(example, dict) and step is not None:
            return step(example)
        return model(*example) if isinstance(example, tuple) else model(example)


def plain(module: nn.Module) -> bool:
    """Whether the module is a convolution or linear layer, as PyTorch has it.

    No subclass, hook, parametrization or replaced forward: those may do anything. Padding
    is zeros, given as numbers; weights are float32 on the CPU.
    """
    if type(module) not in (nn.Conv2d, nn.Linear) or altered(module):
        return False
    weight = module._parameters.get('weight')
    if weight is None or weight.dtype != torch.float32 or weight.device.type != 'cpu':
        return False
    return not isinstance(module, nn.Conv2d) or (
        module.padding_mode == 'zeros' and module.padding != 'same')


def altered(module: nn.Module) -> bool:
    """Whether the module does not just what its class says: it has hooks or own methods."""
    return bool(module._forward_hooks or module._forward_pre_hooks
                or {'forward', '_conv_forward'} & set(vars(module)))


def uses(model: nn.Module, example: Any) -> Dict[Layer, Use]:
    """Run the example and tell, of each plain layer, how it is used.

    Before PyTorch 2.0 that cannot be seen: each may be used elsewhere, too.

    Raises:
        UserError: The model is in training mode, or not on the CPU.
    """
    if any(m.training for m in model.modules()):
        raise UserError('sparse inference needs a model in eval mode: call model.eval() first')
    if any(p.device.type != 'cpu' for p in model.parameters()):
        raise UserError('sparse inference is for the CPU: call model.cpu() first')
    trace = _Trace([m for m in model.modules()
                    if isinstance(m, (nn.Conv2d, nn.Linear)) and plain(m)])
    if not WATCHES:
        for use in trace.uses.values():
            use.elsewhere = True
        return trace.uses
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    with hooked(trace.uses, before=trace.enter, after=trace.leave), \
            hooked(norms, before=trace.norm), trace:
        run(model, example)
    return trace.uses


@contextmanager
def hooked(modules: Iterable[nn.Module], before: Optional[Callable] = None,
           after: Optional[Callable] = None) -> Iterator[None]:
    """Forward hooks on all of the modules while the block runs."""
    handles = []
    for module in modules:
        if before:
            handles.append(module.register_forward_pre_hook(before))
        if after:
            handles.append(module.register_forward_hook(after))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Trace(TorchDispatchMode):
    """Sees every operation: who reads a layer's weight, who reads its output."""

    def __init__(self, layers: List[Layer]) -> None:
        super().__init__()
        self.uses = {layer: Use() for layer in layers}
        self.inside: Optional[Layer] = None
        self.owners: Dict[int, List[Layer]] = {}
        self.outputs: Dict[int, Tuple[ref, Layer]] = {}
        for layer in layers:
            for param in layer.parameters(recurse=False):
                self.owners.setdefault(_storage(param), []).append(layer)
        for owners in self.owners.values():
            for layer in owners if len(owners) > 1 else ():
                self.uses[layer].elsewhere = True   # one weight, several layers

    def __torch_dispatch__(self, func: OpOverload, types: Sequence[type],
                           args: Sequence[Any] = (),
                           kwargs: Optional[Mapping[str, Any]] = None) -> Any:
        kwargs = kwargs or {}
        for value in tree_flatten((args, kwargs))[0]:
            if isinstance(value, Tensor):
                for layer in self.owners.get(_storage(value), ()):
                    self.uses[layer].elsewhere |= layer is not self.inside
                source = self.source(value)
                if source is not None:
                    self.uses[source].reads += 1
        return func(*args, **kwargs)

    def source(self, tensor: Tensor) -> Optional[Layer]:
        """The layer that has made this tensor."""
        found, layer = self.outputs.get(id(tensor), (None, None))
        return layer if found is not None and found() is tensor else None

    def enter(self, layer: Layer, args: Tuple[Tensor, ...]) -> None:
        self.inside = layer
        self.uses[layer].shapes.append(tuple(args[0].shape))

    def leave(self, layer: Layer, args: Tuple[Tensor, ...], output: Tensor) -> None:
        self.inside = None
        self.outputs[id(output)] = (ref(output), layer)

    def norm(self, norm: _BatchNorm, args: Tuple[Tensor, ...]) -> None:
        source = self.source(args[0])
        if source is not None:
            self.uses[source].norms.append(norm)


def _storage(tensor: Tensor) -> int:
    if tensor.layout != torch.strided:
        return id(tensor)
    # Before PyTorch 2.0 it had another name.
    storage = tensor.untyped_storage if hasattr(tensor, 'untyped_storage') else tensor.storage
    return storage()._cdata
