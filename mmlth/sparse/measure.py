"""Layers timed on the inputs that they have inside the model, and the model itself."""
from time import perf_counter
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import torch
from torch import Tensor, nn

from . import trace

SECONDS = 0.1       # per call of a layer, all its forms together
ROUNDS = (3, 20)    # at least and at most; the fastest round counts
WHOLE_SECONDS, WHOLE_ROUNDS = 1.0, (2, 10)      # of whole models


def measure(model: nn.Module, example: Any,
            options: Mapping[nn.Module, Sequence[nn.Module]]) -> Dict[nn.Module, List[float]]:
    """Seconds of every layer and of each of its options, summed over the layer's calls.

    The calls of one layer take turns, so that whatever else the machine does touches all.
    Layers without options are left out, and calls whose result is not float32.
    """
    seconds = {layer: [0.] * (1 + len(forms)) for layer, forms in options.items() if forms}
    measuring: List[nn.Module] = []

    def time(layer: nn.Module, args: Tuple[Any, ...], kwargs: Dict[str, Any],
             output: Tensor) -> None:
        if measuring or output.dtype != torch.float32:  # measuring: it is one of the calls below
            return
        measuring.append(layer)
        try:
            best = _best([layer, *options[layer]], args, kwargs)
        finally:
            measuring.clear()
        seconds[layer] = [total + t for total, t in zip(seconds[layer], best)]

    if seconds:
        with trace.hooked(seconds, after=time):
            trace.run(model, example)
    return seconds


def measure_whole(model: nn.Module, example: Any,
                  forms: Mapping[nn.Module, nn.Module]) -> Tuple[float, float]:
    """Seconds of the model on the example, with its own modules and with the other forms.

    It has the other forms afterwards.
    """
    own = {form: module for module, form in forms.items()}
    seconds = [float('inf'), float('inf')]
    began = perf_counter()
    for count in range(WHOLE_ROUNDS[1]):
        if count >= WHOLE_ROUNDS[0] and perf_counter() - began > WHOLE_SECONDS:
            break
        for i, others in enumerate((own, forms)):
            replace(model, others)
            start = perf_counter()
            trace.run(model, example)
            seconds[i] = min(seconds[i], perf_counter() - start)
    return seconds[0], seconds[1]


def replace(model: nn.Module, others: Mapping[nn.Module, nn.Module]) -> None:
    """Put other modules in the places of some, everywhere that the model holds them."""
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is not None and child in others:
                parent._modules[name] = others[child].train(child.training)


def _best(forms: Sequence[nn.Module], args: Tuple[Any, ...],
          kwargs: Dict[str, Any]) -> List[float]:
    """The shortest time of each form on the same arguments."""
    best, began = [float('inf')] * len(forms), perf_counter()
    for count in range(ROUNDS[1]):
        if count >= ROUNDS[0] and perf_counter() - began > SECONDS:
            break
        for i, form in enumerate(forms):
            start = perf_counter()
            form(*args, **kwargs)
            best[i] = min(best[i], perf_counter() - start)
    return best
