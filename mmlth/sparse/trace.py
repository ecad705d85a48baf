"""What happens to each layer of a model while it works on an example."""
import gc
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import (Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional,
                    Sequence, Set, Tuple, Union)

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from mmlth.core.errors import UserError
from mmlth.core.flops import WATCHES

Layer = Union[nn.Conv2d, nn.Linear]


@dataclass
class Use:
    """One layer or batch norm on the example."""
    shapes: List[Tuple[int, ...]] = field(default_factory=list)    # of the input of each call
    float32: bool = True        # so are the inputs and outputs of all calls, and strided
    elsewhere: bool = False     # its parameters or buffers are read outside its own forward
    reads: int = 0      # operations that read its outputs, in all calls, and outputs that remain
    norms: List[_BatchNorm] = field(default_factory=list)   # batch norms among them


class Uses(NamedTuple):
    """Of a model."""
    layers: Dict[Layer, Use]            # the plain ones
    norms: Dict[_BatchNorm, Use]        # all batch norms


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
    is zeros, given as numbers; weights are float32 on the CPU, not of a sparse layout.
    """
    if type(module) not in (nn.Conv2d, nn.Linear) or altered(module):
        return False
    weight = module._parameters.get('weight')
    if (weight is None or weight.dtype != torch.float32 or weight.device.type != 'cpu'
            or weight.layout != torch.strided):
        return False
    return not isinstance(module, nn.Conv2d) or (
        module.padding_mode == 'zeros' and module.padding != 'same')


def altered(module: nn.Module) -> bool:
    """Whether the module does not just what its class says: it has hooks or own methods."""
    return bool(module._forward_hooks or module._forward_pre_hooks
                or {'forward', '_conv_forward'} & set(vars(module)))


def uses(model: nn.Module, example: Any) -> Uses:
    """Run the example and tell, of each plain layer and each batch norm, how it is used.

    It is run with hooks, and again without: PyTorch's transformer layers call their linear layers
    in the first run, and in the second hand their weights to one operator for all. Before
    PyTorch 2.0 that cannot be seen: each may be used elsewhere, too.

    Raises:
        UserError: The model is in training mode, or not on the CPU.
    """
    if any(m.training for m in model.modules()):
        raise UserError('sparse inference needs a model in eval mode: call model.eval() first')
    if any(p.device.type != 'cpu' for p in model.parameters()):
        raise UserError('sparse inference is for the CPU: call model.cpu() first')
    found = Uses({m: Use() for m in model.modules()
                  if isinstance(m, (nn.Conv2d, nn.Linear)) and plain(m)},
                 {m: Use() for m in model.modules() if isinstance(m, _BatchNorm)})
    if not WATCHES:
        for use in found.layers.values():
            use.elsewhere = True
        return found
    trace = _Trace(found)
    with hooked([*found.layers, *found.norms], before=trace.enter, after=trace.leave), trace:
        result = run(model, example)
    trace.count_remaining()
    del result      # was held, so that what it holds of a layer's output counts
    trace.hooked = False
    with trace:
        run(model, example)
    return found


@contextmanager
def hooked(modules: Iterable[nn.Module], before: Optional[Callable] = None,
           after: Optional[Callable] = None) -> Iterator[None]:
    """Forward hooks, which get keyword arguments too, on all of the modules in the block."""
    handles = []
    for module in modules:
        if before:
            handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        if after:
            handles.append(module.register_forward_hook(after, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Trace(TorchDispatchMode):
    """Sees every operation: who reads a module's own tensors, who reads its output.

    Both are told by their memory, so that views and aliases count too.
    """

    def __init__(self, found: Uses) -> None:
        super().__init__()
        self.uses: Dict[nn.Module, Use] = dict([*found.layers.items(), *found.norms.items()])
        self.inside: Optional[nn.Module] = None
        self.hooked = True      # else nobody says what is inside
        self.readers: Dict[nn.Module, Set[OpOverload]] = {module: set() for module in self.uses}
        self.owners: Dict[int, List[nn.Module]] = {}
        self.outputs: Dict[int, Tuple[StorageWeakRef, Use]] = {}    # held, no address comes twice
        for module in self.uses:
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                self.owners.setdefault(_storage(tensor), []).append(module)
        for owners in self.owners.values():
            for module in owners if len(owners) > 1 else ():
                self.uses[module].elsewhere = True      # one weight, several layers

    def __torch_dispatch__(self, func: OpOverload, types: Sequence[type],
                           args: Sequence[Any] = (),
                           kwargs: Optional[Mapping[str, Any]] = None) -> Any:
        kwargs = kwargs or {}
        for value in tree_flatten((args, kwargs))[0]:
            if isinstance(value, Tensor):
                for module in self.owners.get(_storage(value), ()):
                    self.note(module, func)
                source = self.source(value) if self.hooked else None
                if source is not None:
                    source.reads += 1
        return func(*args, **kwargs)

    def note(self, module: nn.Module, func: OpOverload) -> None:
        """That an operation reads a module's own tensors."""
        if self.hooked:
            self.readers[module].add(func)
            self.uses[module].elsewhere |= module is not self.inside
        else:
            self.uses[module].elsewhere |= func not in self.readers[module]

    def source(self, tensor: Tensor) -> Optional[Use]:
        """Of the layer that has made this tensor, or the one that it is a view of."""
        return self.outputs.get(_storage(tensor), (None, None))[1]

    def enter(self, module: nn.Module, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> None:
        self.inside = module
        input, use = args[0] if args else kwargs['input'], self.uses[module]
        use.shapes.append(tuple(input.shape))
        use.float32 &= _usual(input)
        source = self.source(input)
        if source is not None and isinstance(module, _BatchNorm):
            source.norms.append(module)

    def leave(self, module: nn.Module, args: Tuple[Any, ...], kwargs: Dict[str, Any],
              output: Tensor) -> None:
        self.inside, use = None, self.uses[module]
        use.float32 &= _usual(output)
        if not isinstance(module, _BatchNorm):
            memory = StorageWeakRef(output.untyped_storage())
            self.outputs[memory.cdata] = memory, use

    def count_remaining(self) -> None:
        """An output that is still there has been kept, and whoever keeps it may read it."""
        gc.collect()
        for memory, use in self.outputs.values():
            use.reads += not memory.expired()


def _usual(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.layout == torch.strided


def _storage(tensor: Tensor) -> int:
    if tensor.layout != torch.strided:
        return id(tensor)
    # Before PyTorch 2.0 it had another name.
    storage = tensor.untyped_storage if hasattr(tensor, 'untyped_storage') else tensor.storage
    return storage()._cdata
