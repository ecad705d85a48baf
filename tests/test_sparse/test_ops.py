"""The operators against torch.nn.functional in float64."""
import threading

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmlth.sparse import SparseConv2d, SparseLinear, ops
from mmlth.sparse.layers import conv_geometry, linear_geometry
from mmlth.sparse.others import FastMaxPool2d
from mmlth.sparse.pack import Plan, plans

pytestmark = pytest.mark.skipif(ops.unavailable() is not None, reason=str(ops.unavailable()))
FEW = settings(max_examples=60, deadline=None)
LAYOUTS = dict(
    contiguous=lambda x: x,
    channels_last=lambda x: x.contiguous(memory_format=torch.channels_last),
    strided=lambda x: torch.stack([x, x], -1)[..., 1],
    transposed=lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2))


@pytest.fixture(params=['avx512', 'avx2', 'baseline'], autouse=True)
def kernels(request):
    """Every instruction set that this processor has."""
    try:
        vectors = ops.use_kernels(request.param)
    except RuntimeError as error:
        pytest.skip(str(error).split('\n')[0])
    yield vectors
    ops.use_kernels('fastest')


def prune(layer, density):
    with torch.no_grad():
        layer.weight.mul_(torch.rand_like(layer.weight) < density)
    return layer


def assert_close(found, expected, terms=None):
    """Within 1e-5 of the largest output, or of the largest sum of the terms' magnitudes.

    A single small output may be the difference of two large ones.
    """
    assert found.shape == expected.shape and found.dtype == torch.float32
    if expected.numel():
        error = (found.double() - expected).abs().max()
        assert error <= 1e-5 * (expected if terms is None else terms).abs().max()


def expected_conv(conv, x, change=torch.Tensor.double):
    """In float64; ``change`` makes it of weights, biases and inputs."""
    bias = None if conv.bias is None else change(conv.bias)
    return F.conv2d(change(x), change(conv.weight), bias, conv.stride, conv.padding,
                    conv.dilation, conv.groups)


def magnitude(x):
    return x.double().abs()


convs = st.fixed_dictionaries(dict(
    groups=st.sampled_from([1, 1, 2, 3]), ins=st.integers(1, 9), outs=st.integers(1, 9),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)), bias=st.booleans()))


@FEW
@given(convs, st.integers(0, 3), st.tuples(st.integers(1, 24), st.integers(1, 24)),
       st.sampled_from([0., .1, .5, 1.]), st.sampled_from(sorted(LAYOUTS)), st.data())
def test_convolution(conv, batch, extra, density, layout, data):
    """All strides, paddings, dilations, groups; no image, single pixels; any plan."""
    size = [max(1, d * (k - 1) + e - 2 * p) for d, k, e, p in zip(
        conv['dilation'], conv['kernel'], extra, conv['padding'])]
    layer = prune(nn.Conv2d(
        conv['groups'] * conv['ins'], conv['groups'] * conv['outs'], conv['kernel'],
        conv['stride'], conv['padding'], conv['dilation'], conv['groups'], conv['bias']), density)
    geometry, vectors = conv_geometry(layer), ops.use_kernels()
    plan = data.draw(st.sampled_from(plans(geometry, [(batch, *size)], density, vectors, 99)))
    plan = Plan(plan.tile, data.draw(st.integers(1, plan.block)))
    x = LAYOUTS[layout](torch.randn(batch, layer.in_channels, *size))
    sparse = SparseConv2d(layer, plan)
    assert torch.equal(sparse.weight, layer.weight)
    assert_close(sparse(x), expected_conv(layer, x), expected_conv(layer, x, magnitude))


@FEW
@given(st.lists(st.integers(0, 5), max_size=2), st.integers(1, 70), st.integers(1, 40),
       st.sampled_from([0., .2, 1.]), st.booleans(), st.integers(1, 8), st.integers(1, 70))
def test_linear(shape, ins, outs, density, bias, tile, block):
    layer = prune(nn.Linear(ins, outs, bias), density)
    x = torch.randn(*shape, ins)
    sparse = SparseLinear(layer, Plan((1, tile), block))
    assert torch.equal(sparse.weight, layer.weight)
    expected, terms = (F.linear(change(x), change(layer.weight),
                                change(layer.bias) if bias else None)
                       for change in (torch.Tensor.double, magnitude))
    assert_close(sparse(x), expected, terms)


@pytest.mark.parametrize('batch, size, channels, kernel, stride', [
    (1, (50, 84), 64, 3, 1), (1, (75, 125), 32, 3, 2), (1, (37, 41), 256, 1, 1),
    (300, (7, 7), 64, 3, 1), (2, (33, 33), 64, 1, 2), (1, (40, 40), 40, 7, 2)])
def test_usual_sizes(batch, size, channels, kernel, stride, kernels):
    """Several units, blocks and threads, with the plans that a model would get."""
    torch.manual_seed(0)
    conv = prune(nn.Conv2d(channels, 96, kernel, stride, kernel // 2), 0.2)
    x = torch.randn(batch, channels, *size)
    expected = expected_conv(conv, x)
    for plan in plans(conv_geometry(conv), [(batch, *size)], 0.2, kernels, 3):
        assert_close(SparseConv2d(conv, plan)(x), expected)


def test_linear_on_regions(kernels):
    linear = prune(nn.Linear(1000, 300), 0.1)
    x = torch.randn(333, 1000)
    plan = plans(linear_geometry(linear), [(333, 1, 1)], 0.1, kernels, 1)[0]
    assert_close(SparseLinear(linear, plan)(x), linear.double()(x.double()))


def test_a_row_without_a_survivor_is_its_bias():
    conv = nn.Conv2d(16, 4, 3, padding=1)
    with torch.no_grad():
        conv.weight[2] = 0
    found = SparseConv2d(conv, Plan((2, 4), 16))(torch.randn(1, 16, 9, 9))
    assert torch.equal(found[:, 2], conv.bias[2].expand(1, 9, 9))


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_nan_and_infinities_pass(value):
    """As in the dense layer without zeros, whose sums they reach; nowhere else."""
    conv = nn.Conv2d(16, 5, 3, padding=1)
    x = torch.randn(1, 16, 20, 20)
    x[0, 3, 10, 10] = value
    found, expected = SparseConv2d(conv, Plan((2, 4), 16))(x), conv(x)
    assert torch.equal(found.isnan(), expected.isnan())
    assert torch.equal(found.isposinf(), expected.isposinf())
    assert torch.equal(found.isneginf(), expected.isneginf())


def test_a_pruned_weight_contributes_nothing():
    """Where the dense layer computes 0 * inf = nan."""
    conv = nn.Conv2d(16, 5, 1)
    with torch.no_grad():
        conv.weight[:, 3] = 0
    x = torch.randn(1, 16, 8, 8)
    finite = SparseConv2d(conv, Plan((1, 4), 16))(x)
    x[:, 3] = float('inf')
    assert conv(x).isnan().all()
    assert torch.equal(SparseConv2d(conv, Plan((1, 4), 16))(x), finite)


def test_two_models_in_two_threads():
    """Each thread has its own scratch memory."""
    torch.manual_seed(0)
    convs = [prune(nn.Conv2d(c, c, 3, padding=1), 0.2) for c in (32, 48)]
    layers = [SparseConv2d(conv, Plan((2, 4), 12)) for conv in convs]
    inputs = [torch.randn(1, conv.in_channels, 40, 40) for conv in convs]
    expected = [layer(x) for layer, x in zip(layers, inputs)]
    wrong = []

    def work(i):
        for _ in range(20):
            if not torch.equal(layers[i](inputs[i]), expected[i]):
                wrong.append(i)
    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize('threads', [1, 2, 3])
def test_any_number_of_threads(threads):
    """Few units are divided by output channels as well."""
    before = torch.get_num_threads()
    conv = prune(nn.Conv2d(32, 100, 3, padding=1), 0.2)
    layer, x = SparseConv2d(conv, Plan((2, 4), 16)), torch.randn(1, 32, 13, 13)
    try:
        torch.set_num_threads(threads)
        assert_close(layer(x), expected_conv(conv, x))
    finally:
        torch.set_num_threads(before)


def test_what_does_not_fit_is_refused():
    layer = SparseConv2d(nn.Conv2d(8, 4, 3), Plan((2, 2), 8))
    with pytest.raises(RuntimeError, match='8 channels'):
        layer(torch.randn(1, 7, 9, 9))
    with pytest.raises(RuntimeError, match='larger than the padded input'):
        layer(torch.randn(1, 8, 2, 9))
    with pytest.raises(RuntimeError, match='float32'):
        layer(torch.randn(1, 8, 9, 9, dtype=torch.float64))


def test_sizes_beyond_the_offsets_have_no_plan(kernels):
    conv = nn.Conv2d(1, 1, 3, dilation=1 << 14)
    assert plans(conv_geometry(conv), [(1, 40000, 40000)], 0.1, kernels, 3) == []


@pytest.mark.skipif(not hasattr(torch, 'export'), reason='new in PyTorch 2.1')
@pytest.mark.parametrize('layer, shape', [
    (SparseConv2d(nn.Conv2d(8, 4, 3, stride=2, padding=1), Plan((2, 2), 8)), (2, 8, 9, 12)),
    (SparseLinear(nn.Linear(8, 4), Plan((1, 2), 8)), (3, 8))])
def test_exported_and_compiled(layer, shape):
    """The fake kernels tell torch.export and torch.compile the shapes."""
    x = torch.randn(shape)
    expected = layer(x)
    assert torch.equal(torch.export.export(layer, (x,)).module()(x), expected)
    assert torch.equal(torch.compile(layer, backend='eager', fullgraph=True)(x), expected)


@pytest.mark.parametrize('layer, shape', [
    (SparseConv2d(nn.Conv2d(8, 4, 3, stride=2, padding=1), Plan((2, 2), 8)), (2, 8, 9, 12)),
    (SparseConv2d(nn.Conv2d(8, 4, 3), Plan((2, 2), 8)), (8, 9, 12)),
    (SparseLinear(nn.Linear(8, 4), Plan((1, 2), 8)), (3, 8)),
    (FastMaxPool2d(nn.MaxPool2d(2)), (2, 8, 9, 12))])
def test_traced_by_fx(layer, shape):
    x = torch.randn(shape)
    assert torch.equal(torch.fx.symbolic_trace(layer)(x), layer(x))
