"""From a pruned model to a fast one."""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from torch import nn

from . import ops, trace
from .fold import fold
from .layers import SparseConv2d, SparseLinear, conv_geometry, linear_geometry
from .measure import measure, measure_whole, replace
from .others import FastMaxPool2d, FastRoIAlign, other_form
from .pack import Geometry, Plan, plans
from .report import LayerReport, SparseReport

DENSEST = 0.6       # a layer that keeps a larger share of its weights is not tried
FEWEST = 2          # nor one with fewer input channels per group, such as a depthwise one
GAIN = 0.97         # of the dense time: what saves less is noise
CANDIDATES = 4      # plans that are measured per layer


def sparsify(model: nn.Module, example: Any) -> SparseReport:
    """Make the model run on its surviving weights, in place.

    Folds batch norms, then measures each convolution and linear layer dense and sparse on
    the example, with PyTorch's present number of threads; the faster stays. (What counts once
    these are fast, max pooling and mmcv's RoIAlign, is likewise tried with kernels of our own.)
    At the end the whole model is measured, and all stays dense if it is no faster. The model
    computes what it did before, up to rounding; a pruned weight contributes nothing, not
    even to an infinite or NaN input. It cannot be trained afterwards.

    Args:
        model: In eval mode, on the CPU. Zeros in its float32 weights count as pruned.
        example: What the model is to run on, of a usual size: a dict for ``test_step``
            (MMDetection, MMPose), else the argument, or a tuple of several.

    Returns:
        What became of every layer, and why.

    Raises:
        UserError: The model is in training mode, or not on the CPU.
    """
    uses = trace.uses(model, example)
    folded = fold(uses)
    unavailable = ops.unavailable()
    names = {module: name for name, module in model.named_modules()}
    rows: Dict[nn.Module, LayerReport] = {}
    options: Dict[nn.Module, List[nn.Module]] = {}
    for layer, use in uses.layers.items():
        rows[layer] = LayerReport(names[layer], _density(layer), len(use.shapes))
        rows[layer].why = 'there are no kernels' if unavailable else _untried(layer, use)
        if rows[layer].why is None:
            options[layer] = _options(layer, use)
            if not options[layer]:
                rows[layer].why = 'one tile of its input is too large'
    others = {} if unavailable else {module: other_form(module) for module in names}
    options.update({module: [form] for module, form in others.items() if form is not None})
    chosen = _faster(model, example, options, rows)
    whole = measure_whole(model, example, chosen) if chosen else ()
    if whole and whole[1] > GAIN * whole[0]:    # what is saved in the layers is lost between them
        replace(model, {form: module for module, form in chosen.items()})
        for module in chosen.keys() & rows.keys():
            rows[module].chosen, rows[module].why = 'dense', 'the whole model is no faster'
        chosen = {}
    pools, aligns = (sum(isinstance(form, kind) for form in chosen.values())
                     for kind in (FastMaxPool2d, FastRoIAlign))
    return SparseReport(list(rows.values()), folded, pools, aligns, torch.get_num_threads(),
                        unavailable, *(1e3 * t for t in whole))


def _faster(model: nn.Module, example: Any, options: Dict[nn.Module, List[nn.Module]],
            rows: Dict[nn.Module, LayerReport]) -> Dict[nn.Module, nn.Module]:
    """The fastest form of each module that is faster than the module; notes it in its row."""
    chosen = {}
    for layer, (dense, *sparse) in measure(model, example, options).items():
        fastest = min(sparse)
        if 0 < fastest <= GAIN * dense:
            chosen[layer] = options[layer][sparse.index(fastest)]
        if layer in rows:
            row = rows[layer]
            row.dense_ms, row.sparse_ms = 1e3 * dense, 1e3 * fastest
            row.chosen = 'sparse' if layer in chosen else 'dense'
            row.why = f'{row.chosen} is faster'
    return chosen


def fold_batch_norms(model: nn.Module, example: Any) -> int:
    """Only what :func:`sparsify` does to batch norms, with its arguments; how many it folds."""
    return fold(trace.uses(model, example))


def _untried(layer: trace.Layer, use: trace.Use) -> Optional[str]:
    """Why a layer stays dense without a measurement; None if it does not."""
    if use.elsewhere:
        return 'its weights are read outside the layer'
    if not use.shapes:
        return 'the example does not reach it'
    if not use.float32:
        return 'it does not compute in float32'
    if _density(layer) > DENSEST:
        return 'too few zeros'
    if isinstance(layer, nn.Conv2d) and layer.in_channels // layer.groups < FEWEST:
        return 'one input channel per group'
    return None


def _density(layer: trace.Layer) -> float:
    weight = layer.weight.detach()
    return (weight != 0).sum().item() / max(1, weight.numel())


def _options(layer: trace.Layer, use: trace.Use) -> List[nn.Module]:
    """The sparse forms of a layer that should be fastest on the inputs it has had."""
    def found(geometry: Geometry, sizes: Sequence[Tuple[int, ...]]) -> List[Plan]:
        return plans(geometry, sizes, _density(layer), ops.use_kernels(), CANDIDATES)

    if isinstance(layer, nn.Linear):
        vectors = [(torch.Size(shape[:-1]).numel(), 1, 1) for shape in use.shapes]
        return [SparseLinear(layer, plan).eval()
                for plan in found(linear_geometry(layer), vectors)]
    maps = [(torch.Size(shape[:-3]).numel(), *shape[-2:]) for shape in use.shapes]
    return [SparseConv2d(layer, plan).eval() for plan in found(conv_geometry(layer), maps)]
