"""Multiply-adds of a network, in all and of each weight, counted while it runs.

Convolutions and matrix products are counted where PyTorch dispatches them, whoever asks for them:
a layer, attention, an operator of another library. Which weight takes part is told from the
memory of the operands, so that shared and sliced weights, and those that are cast or standardised
before they are used, are known too.
"""
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from .parts import teachers_of
from .probe import untouched
from .products import product
from .scope import is_norm, norm_weights, prunable

# Before PyTorch 2.0 `torch.Tensor(...)`, which mmengine calls, fails where operators are watched.
WATCHES = hasattr(torch, 'compile')


@dataclass(frozen=True)
class MultiplyAdds:
    """What was counted.

    Args:
        total: Of all convolutions and matrix products. Not counted: biases, norms, activations,
            pooling, resizing, NMS and RoI pooling.
        entries: Of each entry of a weight, by parameter name. A convolution's is the number of its
            output positions (a transposed one's: input positions), a linear layer's the number of
            vectors it maps, over all calls and regions; 0 of a layer that is not reached. What a
            teacher computes in its student's place counts as the student's. Beside
            all :func:`~mmlth.core.scope.prunable` weights they are those of the scales of norms,
            which are not in the total.
    """
    total: int
    entries: Dict[str, float]


def multiply_adds(model: nn.Module, run: Callable[[], Any]) -> MultiplyAdds:
    """Count what ``run`` computes.

    Args:
        model: The bare model; its modes and buffers are put back.
        run: Runs it, in the mode of inference; no gradient is kept.
    """
    weights, scales = prunable(model), norm_weights(model)
    params = dict(model.named_parameters())
    teachers = {name: params[teacher] for name, teacher in teachers_of(params).items()}
    counter = _Counter([(name, tensor) for found in (weights, teachers)
                        for name, tensor in found.items() if name in weights])
    uses = dict.fromkeys(scales, 0.0)
    count = _counting({id(tensor): name for found in (scales, teachers)
                       for name, tensor in found.items() if name in scales}, uses)
    handles = [module.register_forward_hook(count) for module in model.modules() if is_norm(module)]
    try:
        with untouched(model), torch.no_grad(), _Unfused(), counter:
            run()
    finally:
        for handle in handles:
            handle.remove()
    return MultiplyAdds(counter.total, {
        **{name: counter.counts[name] / max(1, weight.numel())
           for name, weight in weights.items()}, **uses})


def count_flops(model: nn.Module, run: Callable[[], Any]) -> Dict[str, Any]:
    """Floating-point operations: a multiplication and an addition are two.

    Args:
        model, run: As in :func:`multiply_adds`.

    Returns:
        dict: ``total``, and ``layers``: parameter name -> operations that its weight takes part
        in. What no single weight accounts for, attention for one, is in the total alone.
    """
    counted, weights = multiply_adds(model, run), prunable(model)
    return dict(total=2 * counted.total, layers={
        name: round(2 * counted.entries[name] * weight.numel())
        for name, weight in weights.items() if counted.entries[name]})


def sparse_flops(flops: Mapping[str, Any], sparsity: Mapping[str, float]) -> float:
    """What is left if every multiplication with a pruned weight is left out.

    Args:
        flops: Of :func:`count_flops`.
        sparsity: Parameter name -> fraction of its weights that are pruned.
    """
    return flops['total'] - sum(count * sparsity.get(name, 0.0)
                                for name, count in flops['layers'].items())


def compute_sparsity(mask: Mapping[str, Tensor], entries: Mapping[str, float]) -> Optional[float]:
    """The fraction of the scope's multiply-adds that are with a pruned weight.

    Args:
        mask: Masks by parameter name.
        entries: Of :class:`MultiplyAdds`; a name that is missing counts nothing.

    Returns:
        float: In [0, 1]; None if the scope has no multiply-adds.
    """
    total = sum(entries.get(name, 0) * keep.numel() for name, keep in mask.items())
    zeros = sum(entries.get(name, 0) * (keep.numel() - int(torch.count_nonzero(keep)))
                for name, keep in mask.items())
    return zeros / total if total else None


class _Unfused(TorchFunctionMode):
    """Within it attention takes its steps one by one, where they can be seen."""

    def __torch_function__(self, func: Callable, types: Sequence[type],
                           args: Sequence[Any] = (),
                           kwargs: Optional[Mapping[str, Any]] = None) -> Any:
        return func(*args, **(kwargs or {}))


class _Counter(TorchDispatchMode):
    """Sees the operators that run within it.

    Args:
        weights: With their names, which several may share; ``counts`` gets the multiply-adds of
            each name.
    """

    def __init__(self, weights: Sequence[Tuple[str, Tensor]]):
        super().__init__()
        self.counts = {name: 0 for name, _ in weights}
        self.total = 0
        self._places = _Places()
        for name, weight in weights:
            self._places.add(weight, name)

    def __torch_dispatch__(self, func: OpOverload, types: Sequence[type],
                           args: Sequence[Any] = (),
                           kwargs: Optional[Mapping[str, Any]] = None) -> Any:
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled():   # operators come before they are taken apart
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        found = product(func._schema.name, args, result)
        if found is None:
            self._follow(args, result)
        else:
            self._count(*found)
        return result

    def _count(self, number: int, factors: Sequence[Tensor]) -> None:
        self.total += number
        name = next(filter(None, map(self._places.find, factors)), None)
        if name is not None:
            self.counts[name] += number

    def _follow(self, args: Sequence[Any], result: Any) -> None:
        """What is made of a weight, entry by entry (cast, standardised), stands for it."""
        if isinstance(result, Tensor) and self._places.find(result) is None:
            for tensor in args:
                if isinstance(tensor, Tensor) and tensor.numel() == result.numel():
                    name = self._places.find(tensor)
                    if name is not None:
                        self._places.add(result, name)
                        return


class _Places:
    """Where in memory named tensors lie. They are held, so that nothing else takes their place."""

    def __init__(self) -> None:
        self._starts: List[int] = []
        self._found: List[Tuple[int, str, Tensor]] = []     # end, name, what is held

    def add(self, tensor: Tensor, name: str) -> None:
        start = _address(tensor)
        if start:
            place = bisect_right(self._starts, start)
            self._starts.insert(place, start)
            end = start + tensor.numel() * tensor.element_size()
            self._found.insert(place, (end, name, tensor))

    def find(self, tensor: Tensor) -> Optional[str]:
        """The name of the tensor that this one is a view of, or a part; None if there is none."""
        start = _address(tensor)
        place = bisect_right(self._starts, start) - 1
        if place < 0 or not start:
            return None
        end, name, _ = self._found[place]
        return name if start < end else None


def _address(tensor: Tensor) -> int:
    """0 of a tensor that has no memory of its own."""
    return tensor.data_ptr() if tensor.layout == torch.strided and tensor.numel() else 0


def _counting(scales: Mapping[int, str], uses: Dict[str, float]) -> Callable:
    """A forward hook of norms: each entry of a scale takes part in its share of the output."""
    def count(module: nn.Module, inputs: Any, output: Any) -> None:
        weight = module._parameters.get('weight')
        name = scales.get(id(weight))
        if weight is not None and name is not None and isinstance(output, Tensor):
            uses[name] += output.numel() / max(1, weight.numel())
    return count
