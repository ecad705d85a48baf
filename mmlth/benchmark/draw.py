"""Drawing a global mask against ``torch.topk``, the way of the paper's code."""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median
from typing import Callable, Dict, List, Mapping, Optional, Sequence

import torch
from torch import Tensor

from mmlth.core import draw

from .table import row
from .timing import interleaved, ratio

SPEEDUP = 12            # goal: times faster than topk
BYTES_PER_WEIGHT = 6    # goal: extra memory, the masks included
LAYERS = 64
FEW = 50_000_000        # more weights than this are drawn fewer times


def bench_draw(sparsity: float, repeats: int, sizes: Sequence[int],
               device: str = 'cpu') -> List[dict]:
    """Rows for each number of weights: seconds, and peak extra bytes per weight."""
    rows = []
    for size in sizes:
        # Memory first: the peak of a process may be inherited from its parent.
        peaks = {name: _peak_bytes(name, size, sparsity, device) for name in METHODS}
        weights = random_weights(size, device)
        calls = {name: partial(method, weights, sparsity) for name, method in METHODS.items()}
        times = interleaved(calls, max(1, round(repeats * min(1, FEW / size))), device)
        del weights, calls
        ours, topk = times['mmlth'], times['topk']
        rows.append(row('draw', f'{size:,} weights: speed-up over topk', median(ours),
                        median(topk), 's', ratio(topk, ours), at_least=SPEEDUP))
        peak, of_topk = peaks['mmlth'], peaks['topk']
        if peak is not None and of_topk is not None:
            rows.append(row('draw', f'{size:,} weights: peak extra memory', peak / size,
                            of_topk / size, 'B/weight', at_most=BYTES_PER_WEIGHT))
    return rows


def topk_masks(weights: Mapping[str, Tensor], sparsity: float) -> Dict[str, Tensor]:
    """Concatenate all |w|, take the smallest of the top ones, compare."""
    flat = torch.cat([w.abs().view(-1) for w in weights.values()])
    kept = flat.numel() - round(sparsity * flat.numel())
    threshold = torch.topk(flat, kept).values.min()
    return {name: w.abs() >= threshold for name, w in weights.items()}


METHODS: Dict[str, Callable] = {'topk': topk_masks, 'mmlth': draw}


def random_weights(size: int, device: str = 'cpu') -> Dict[str, Tensor]:
    """Normal weights in layers of equal size and different scale."""
    generator = torch.Generator(device).manual_seed(0)
    bounds = [size * i // LAYERS for i in range(LAYERS + 1)]
    return {f'layer{i}.weight': torch.randn(
                stop - start, generator=generator, device=device).mul_(0.01 + 0.001 * i)
            for i, (start, stop) in enumerate(zip(bounds, bounds[1:]))}


def _peak_bytes(name: str, size: int, sparsity: float, device: str) -> Optional[int]:
    """Peak of one draw beyond the weights; a fresh process has no freed memory to reuse."""
    if device.startswith('cuda'):
        return _cuda_peak(name, size, sparsity, device)
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_host_peak, name, size, sparsity, torch.get_num_threads()).result()


def _host_peak(name: str, size: int, sparsity: float, threads: int) -> Optional[int]:
    torch.set_num_threads(threads)
    METHODS[name](random_weights(1000), sparsity)      # what torch loads on first use
    weights = random_weights(size)
    before = _status_bytes('VmRSS')
    masks = METHODS[name](weights, sparsity)    # held, so that they count
    after = _status_bytes('VmHWM')
    del masks
    return None if before is None or after is None else max(0, after - before)


def _status_bytes(key: str) -> Optional[int]:
    """A field of this process's status; getrusage's maximum survives fork and exec."""
    try:
        with open('/proc/self/status') as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith(key))
    except (OSError, StopIteration):    # not on Linux
        return None


def _cuda_peak(name: str, size: int, sparsity: float, device: str) -> int:
    weights = random_weights(size, device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    METHODS[name](weights, sparsity)
    return torch.cuda.max_memory_allocated(device) - before
