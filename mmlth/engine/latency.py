"""How long a model takes, dense and sparse, and each of its parts."""
import copy
from collections import defaultdict
from contextlib import contextmanager
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from mmlth.sparse import SparseReport, fold_batch_norms, sparsify

PARTS = ('backbone', 'neck', 'rpn_head', 'roi_head', 'bbox_head', 'mask_head', 'head',
         'panoptic_head', 'encoder', 'decoder')


def latency(model: BaseModel, example: Dict[str, Any], threads: int, repeats: int = 10,
            compiled: bool = True) -> Dict[str, Any]:
    """Milliseconds of ``model.test_step(example)`` in all its forms, taking turns.

    Args:
        model: In eval mode on the CPU; it is left as it was.
        example: A batch.
        threads: PyTorch's, for all forms.
        repeats: Calls of each form. Default: 10.
        compiled: Whether backbone and neck are also run under ``torch.compile``, which
            takes a minute to compile. Default: True.

    Returns:
        dict: ``dense_ms`` and ``sparse_ms`` (medians, dense of its best form), ``speedup``,
        ``max_relative_difference`` (of the features, against the largest), ``threads``,
        ``layers`` (name, density, dense_ms, sparse_ms, chosen, ...), ``forms`` (median, low
        and high quartile of each, or why it does not run), ``best_dense`` and ``parts``
        (of the eager dense and the sparse model, medians).
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        forms, report, unfit = _forms(model, example, compiled)
        times = _times(forms, example, repeats)
        difference = _difference(forms['eager'], forms['sparse'], example)
        parts = {name: _parts(forms[name], example, max(1, repeats // 2))
                 for name in ('eager', 'sparse')}
    finally:
        torch.set_num_threads(before)
    medians = {name: 1e3 * median(t) for name, t in times.items()}
    best = min((name for name in medians if name != 'sparse'), key=medians.__getitem__)
    return dict(
        dense_ms=medians[best], sparse_ms=medians['sparse'], best_dense=best,
        speedup=medians[best] / medians['sparse'], max_relative_difference=difference,
        threads=threads, summary=report.summary(), forms={
            **{name: _spread(t) for name, t in times.items()}, **unfit},
        parts=parts, layers=report.to_dict()['layers'])


def _forms(model: BaseModel, example: Dict[str, Any], compiled: bool
           ) -> Tuple[Dict[str, BaseModel], SparseReport, Dict[str, str]]:
    """The forms that run on the example, the sparse one's report, and why others do not."""
    eager = copy.deepcopy(model)
    fold_batch_norms(eager, example)
    sparse = copy.deepcopy(model)
    report: SparseReport = sparsify(sparse, example)
    forms = dict(eager=eager, sparse=sparse, channels_last=_channels_last(eager))
    unfit = {}
    if compiled and not hasattr(nn.Module, 'compile'):
        unfit['compile'] = 'does not run: it needs PyTorch 2.1'
    elif compiled:
        forms['compile'] = copy.deepcopy(eager)
        for name in ('backbone', 'neck'):
            if isinstance(getattr(forms['compile'], name, None), nn.Module):
                getattr(forms['compile'], name).compile()
    for name in list(forms):
        try:
            _step(forms[name], example)     # warm; compiles
        except Exception as error:      # whatever a compiler or a layout meets in the model
            if name in ('eager', 'sparse'):
                raise
            unfit[name] = f'does not run: {type(error).__name__}: {str(error).splitlines()[:1]}'
            del forms[name]
    return forms, report, unfit


def _channels_last(model: BaseModel) -> BaseModel:
    """A copy. mmcv's operators take any input to be contiguous, and misread others: they get it."""
    model = copy.deepcopy(model).to(memory_format=torch.channels_last)
    for module in model.modules():
        if type(module).__module__.startswith('mmcv.ops.'):
            module.register_forward_pre_hook(lambda module, args: tuple(
                arg.contiguous() if isinstance(arg, Tensor) else arg for arg in args))
    return model


def _step(model: BaseModel, example: Dict[str, Any]) -> Any:
    with torch.no_grad():
        return model.test_step(example)


def _times(forms: Mapping[str, BaseModel], example: Dict[str, Any],
           repeats: int) -> Dict[str, List[float]]:
    """Seconds of each call; the forms take turns, so that other work touches all."""
    times: Dict[str, List[float]] = {name: [] for name in forms}
    for _ in range(repeats):
        for name, form in forms.items():
            began = perf_counter()
            _step(form, example)
            times[name].append(perf_counter() - began)
    return times


def _spread(seconds: Sequence[float]) -> Dict[str, float]:
    low, _, high = quantiles(seconds, n=4) if len(seconds) > 1 else [*seconds] * 3
    return dict(median=1e3 * median(seconds), low=1e3 * low, high=1e3 * high)


def _difference(dense: BaseModel, sparse: BaseModel,
                example: Dict[str, Any]) -> Optional[float]:
    """The largest difference of the features before any decision; None without features."""
    if not hasattr(dense, 'extract_feat'):
        return None
    with torch.no_grad():
        inputs = dense.data_preprocessor(example, False)['inputs']
        pairs = zip(*([t for t in tree_flatten(m.extract_feat(inputs))[0] if isinstance(t, Tensor)]
                      for m in (dense, sparse)))
        return max(float((a - b).abs().max() / a.abs().max().clamp(min=1e-30))
                   for a, b in pairs)


def _parts(model: BaseModel, example: Dict[str, Any], repeats: int) -> Dict[str, float]:
    """Median milliseconds in each part of the model, and in what is in none (``rest``)."""
    runs: Dict[str, List[float]] = defaultdict(list)
    for _ in range(repeats):
        spent: Dict[str, float] = defaultdict(float)
        with _timed({name: child for name, child in model.named_children() if name in PARTS},
                    spent):
            began = perf_counter()
            _step(model, example)
            total = perf_counter() - began
        spent['rest'] = total - sum(spent.values())
        for name, seconds in spent.items():
            runs[name].append(1e3 * seconds)
    return {name: median(ms) for name, ms in runs.items()}


@contextmanager
def _timed(parts: Dict[str, nn.Module], spent: Dict[str, float]) -> Iterator[None]:
    """Within, the parts' ``forward`` and ``predict`` add their seconds to ``spent``."""
    running: List[str] = []

    def timed(name: str, function: Callable) -> Callable:
        def call(*args: Any, **kwargs: Any) -> Any:
            if running:     # called by a part that is being timed
                return function(*args, **kwargs)
            running.append(name)
            began = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] += perf_counter() - began
                running.clear()
        return call
    wrapped = [(part, method) for part in parts.values() for method in ('forward', 'predict')
               if hasattr(part, method) and method not in vars(part)]
    for name, part in parts.items():
        for owner, method in wrapped:
            if owner is part:
                setattr(part, method, timed(name, getattr(part, method)))
    try:
        yield
    finally:
        for part, method in wrapped:
            delattr(part, method)


def to_text(result: Dict[str, Any]) -> str:
    """The tables of one number of threads."""
    lines = [f'{result["threads"]} thread(s)    {"median ms":>12}{"quartiles":>20}']
    for name, form in result['forms'].items():
        mark = ' (the dense side)' if name == result['best_dense'] else ''
        lines.append(f'  {name:<16}' + (form if isinstance(form, str) else
                     f'{form["median"]:>12.1f}{form["low"]:>10.1f}{form["high"]:>10.1f}{mark}'))
    lines += ['', f'  {"part":<16}{"dense ms":>12}{"sparse ms":>10}']
    for name, dense in result['parts']['eager'].items():
        lines.append(f'  {name:<16}{dense:>12.1f}{result["parts"]["sparse"].get(name, 0):>10.1f}')
    difference = result['max_relative_difference']
    return '\n'.join([
        *lines, '', f'speed-up {result["speedup"]:.2f}x: {result["summary"]}'
        + ('' if difference is None else f'; features differ by {difference:.1e} at most')])
