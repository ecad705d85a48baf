"""Times that are compared as pairs: whatever else the machine does, both feel it."""
from statistics import median
from time import perf_counter
from typing import Callable, Dict, List, Mapping, Sequence

import torch


def interleaved(functions: Mapping[str, Callable], repeats: int,
                device: str = 'cpu') -> Dict[str, List[float]]:
    """Seconds of each call, by name: all functions in turn, ``repeats`` times."""
    times: Dict[str, List[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(_seconds(function, device))
    return times


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios of neighbours in time, not the ratio of the medians."""
    return median(a / b for a, b in zip(over, under))


def _seconds(function: Callable, device: str) -> float:
    _synchronize(device)
    began = perf_counter()
    function()
    _synchronize(device)
    return perf_counter() - began


def _synchronize(device: str) -> None:
    if device.startswith('cuda'):
        torch.cuda.synchronize(device)
