"""Layers and whole models on their surviving weights, against PyTorch's dense ones."""
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import torch
from torch import nn

from .peers import peers
from .table import row
from .timing import interleaved, ratio

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'lth'
SPARSITIES = (0.8, 0.9)
# Goals, at these sparsities, are times faster than the dense layer or model.
THREE, STRIDED, REGIONS = (2.5, 4.5), (1.8, 3), (1.6, 2.8)
# What, input, output channels, kernel (None: a linear layer), stride, goals; at the sizes of R18 C4
# and R50 FPN.
LAYERS = [
    ('3x3, 64 on 150x250', (1, 64, 150, 250), 64, 3, 1, THREE),
    ('3x3, 128 on 75x125', (1, 128, 75, 125), 128, 3, 1, THREE),
    ('3x3, 256 on 38x63', (1, 256, 38, 63), 256, 3, 1, THREE),
    ('3x3, 256 on 100x168', (1, 256, 100, 168), 256, 3, 1, THREE),
    ('3x3, 512 on 25x42', (1, 512, 25, 42), 512, 3, 1, THREE),
    ('3x3 stride 2, 128 on 200x336', (1, 128, 200, 336), 128, 3, 2, STRIDED),
    ('3x3 stride 2, 256 on 100x168', (1, 256, 100, 168), 256, 3, 2, STRIDED),
    ('3x3 stride 2, 512 on 50x84', (1, 512, 50, 84), 512, 3, 2, STRIDED),
    ('1x1, 256 to 64 on 200x336', (1, 256, 200, 336), 64, 1, 1, STRIDED),
    ('1x1, 64 to 256 on 200x336', (1, 64, 200, 336), 256, 1, 1, STRIDED),
    ('1x1, 512 to 128 on 100x168', (1, 512, 100, 168), 128, 1, 1, STRIDED),
    ('1x1, 1024 to 256 on 50x84', (1, 1024, 50, 84), 256, 1, 1, STRIDED),
    ('1x1, 512 to 2048 on 25x42', (1, 512, 25, 42), 2048, 1, 1, STRIDED),
    ('linear, 12544 to 1024 on 1000', (1000, 12544), 1024, None, 1, REGIONS),
    ('layer4 on 300: 3x3 stride 2, 256 to 512', (300, 256, 14, 14), 512, 3, 2, REGIONS),
    ('layer4 on 300: 3x3, 512 on 7x7', (300, 512, 7, 7), 512, 3, 1, REGIONS),
]
QUICK = [('3x3, 32 on 20x20', (1, 32, 20, 20), 32, 3, 1, THREE),
         ('linear, 64 to 64 on 50', (50, 64), 64, None, 1, REGIONS)]
# Config, height and width of the network's input, goals.
MODELS = [
    (str(CONFIGS / 'faster_rcnn_r18_voc.py'), (600, 1000), (1.8, 2.8)),
    ('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', (800, 1333), (1.7, 2.5)),
    ('mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py', (640, 640), (1.3, 2)),
    ('mmdet::yolox/yolox_s_8xb8-300e_coco.py', (640, 640), (1.3, 2)),
    ('mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_hrnet-w32_8xb64-210e_coco-256x192.py',
     (256, 192), (1.3, 2)),
]


def bench_sparse(repeats: int, quick: bool, threads: Optional[int]) -> List[dict]:
    """Rows for layers and models at both sparsities, with one and two threads.

    Args:
        repeats: Of each measurement.
        quick: Tiny layers and no models.
        threads: Only this number. Default: None, one and two.

    Returns:
        ``ours`` is sparse, ``reference`` the faster of dense and dense channels_last, BN
        folded, or another engine (:mod:`.peers`; without a goal); weights are random and
        pruned evenly (models: layer by layer).
    """
    rows = []
    for count in [threads] if threads else [1, 2]:
        with _threads(count):
            for layer in QUICK if quick else LAYERS:
                rows += _layer(*layer, repeats, count)
            for model in () if quick else MODELS:
                rows += _model(*model, max(3, repeats // 3), count)
    return rows


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _layer(what: str, shape: Tuple[int, ...], outs: int, kernel: Optional[int], stride: int,
           goals: Sequence[float], repeats: int, threads: int) -> List[dict]:
    from mmlth.sparse import sparsify
    rows, x = [], torch.randn(shape)
    for sparsity, goal in zip(SPARSITIES, goals):
        layer = (nn.Linear(shape[1], outs) if kernel is None
                 else nn.Conv2d(shape[1], outs, kernel, stride, kernel // 2)).eval()
        with torch.no_grad():
            layer.weight.mul_(torch.rand_like(layer.weight) >= sparsity)
        sparse = nn.Sequential(layer).eval()
        sparsify(sparse, x)
        calls = dict(sparse=lambda: sparse(x), dense=lambda: layer(x))
        if kernel is not None:
            last = nn.Conv2d(shape[1], outs, kernel, stride, kernel // 2)
            last.load_state_dict(layer.state_dict())
            # PyTorch's hints lack this form of it.
            last.to(memory_format=torch.channels_last)      # type: ignore[call-overload]
            y = x.contiguous(memory_format=torch.channels_last)
            calls['channels_last'] = lambda: last(y)
        others = peers(layer, x, threads)
        with torch.no_grad():
            interleaved(calls, 1)
            times = interleaved({**calls, **others}, repeats)
        name = f'{what}, {sparsity:.0%}'
        rows.append(_row(name, {call: times[call] for call in calls}, threads, goal))
        rows += [row('sparse', f'{name}, {threads} thread(s): {other}', median(times['sparse']),
                     median(times[other]), 's', ratio(times[other], times['sparse']))
                 for other in others]
    return rows


def _model(config: str, shape: Tuple[int, int], goals: Sequence[float], repeats: int,
           threads: int) -> List[dict]:
    from mmlth.engine.config import load_config
    from mmlth.engine.example import example
    from mmlth.engine.latency import latency
    from mmlth.engine.pruned_model import pruned_model
    rows = []
    for sparsity, goal in zip(SPARSITIES, goals):
        cfg = load_config(config)
        model = pruned_model(cfg, None, sparsity, 'layerwise', pretrained=False)
        result = latency(model, example(cfg, None, shape), threads, repeats, compiled=False)
        name = config.split('/')[-1].split('_8xb')[0].split('.')[0]
        rows.append(row(
            'sparse', f'{name} on {shape[0]}x{shape[1]}, {sparsity:.0%}, {threads} thread(s)',
            result['sparse_ms'] / 1e3, result['dense_ms'] / 1e3, 's', result['speedup'],
            at_least=goal))
    return rows


def _row(what: str, times: Dict[str, List[float]], threads: int, goal: float) -> dict:
    dense = min((name for name in times if name != 'sparse'), key=lambda n: median(times[n]))
    return row('sparse', f'{what}, {threads} thread(s)', median(times['sparse']),
               median(times[dense]), 's', ratio(times[dense], times['sparse']), at_least=goal)
