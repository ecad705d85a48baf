"""Other types than float32, autocast and keyword arguments: a layer stays dense, or is cast."""
import copy

import pytest
import torch
from test_convert import always, needs_kernels  # noqa: F401 (a fixture)
from torch import nn

from mmlth.sparse import SparseConv2d, SparseLinear, sparsify
from mmlth.sparse.others import FastMaxPool2d, FastRoIAlign

pytestmark = needs_kernels


def pruned(*layers):
    torch.manual_seed(0)
    model = nn.Sequential(*layers).eval()
    with torch.no_grad():
        for param in model.parameters():
            if param.dim() > 1:
                param.mul_(torch.rand_like(param) < 0.3)
    return model


def net():
    return pruned(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
                  nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(72, 5))


def halved(function):
    with torch.autocast('cpu', dtype=torch.bfloat16), torch.no_grad():
        return function()


class Halved(nn.Module):
    """Has autocast inside."""

    def __init__(self):
        super().__init__()
        self.net = net()

    def forward(self, x):
        return halved(lambda: self.net(x))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float64])
def test_a_model_of_another_type_stays_as_it_is(always, dtype):  # noqa: F811
    model, x = net().to(dtype), torch.randn(2, 4, 12, 12).to(dtype)
    with torch.no_grad():
        expected = model(x)
        report = sparsify(model, x)
        assert torch.equal(model(x), expected)
    assert (report.layers, report.folded, report.pools) == ([], 0, 0)


@pytest.mark.parametrize('inside', [True, False])
def test_what_computes_under_autocast_stays_dense(always, inside):  # noqa: F811
    model, x = Halved() if inside else net(), torch.randn(2, 4, 12, 12)
    model.eval()
    call = (lambda function: function()) if inside else halved
    with torch.no_grad():
        expected = call(lambda: model(x))
        report = call(lambda: sparsify(model, x))
        assert torch.equal(call(lambda: model(x)), expected)
    assert {(row.chosen, row.why) for row in report.layers} == {
        ('dense', 'it does not compute in float32')}
    assert (len(report.layers), report.folded, report.pools) == (3, 0, 0)


def test_a_sparse_model_runs_under_autocast(always):  # noqa: F811
    """Sparsified in float32, run in half precision: the types are the dense model's."""
    model, x = net(), torch.randn(2, 4, 12, 12)
    dense = copy.deepcopy(model)
    sparsify(model, x)
    assert {type(m) for m in model.children()} >= {SparseConv2d, SparseLinear, FastMaxPool2d}
    pairs = zip(model, dense)
    found = expected = x
    for layer, original in pairs:
        found, expected = halved(lambda: layer(found)), halved(lambda: original(expected))
        if not isinstance(original, nn.BatchNorm2d):    # the folded one is in the convolution
            assert found.dtype == expected.dtype
    assert found.dtype == torch.bfloat16
    assert (found - dense(x)).abs().max() <= 0.05 * dense(x).abs().max()
    with pytest.raises(RuntimeError):
        halved(lambda: model[0](x.double()))        # as the dense one


class Mixed(nn.Module):
    """Calls of several types; a pooling of whole numbers, a linear layer of a sparse tensor."""

    def __init__(self):
        super().__init__()
        self.linear, self.sparse = pruned(nn.Linear(16, 16), nn.Linear(16, 16))
        self.pool, self.other = nn.MaxPool2d((3,), 1, 1), nn.MaxPool2d(2)

    def forward(self, x):
        y = self.linear(x)
        return (y, halved(lambda: self.linear(x)), self.sparse(x.flatten(0, -2).to_sparse()),
                self.pool(y), self.pool((y > 0).long()), self.other(y.double()))


def test_calls_of_several_types(always):  # noqa: F811
    model, x = Mixed().eval(), torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        expected = model(x)
        report = sparsify(model, x)
        assert all(torch.equal(*pair) for pair in zip(model(x), expected))
    assert {row.why for row in report.layers} == {'it does not compute in float32'}
    assert isinstance(model.pool, FastMaxPool2d) and type(model.other) is nn.MaxPool2d


class ByKeyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.pool, self.linear = pruned(
            nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.MaxPool2d(2), nn.Linear(5, 6))

    def forward(self, x):
        return self.linear(input=self.pool(input=self.norm(input=self.conv(input=x))))


def test_layers_that_are_called_by_keyword(always):  # noqa: F811
    model, x = ByKeyword().eval(), torch.randn(2, 4, 12, 12)
    with torch.no_grad():
        expected = model(x)
        report = sparsify(model, x)
        assert (model(x) - expected).abs().max() <= 1e-5
    assert (report.folded, report.pools) == (1, 1)
    assert isinstance(model.conv, SparseConv2d) and isinstance(model.linear, SparseLinear)


def test_regions_of_another_type_are_left_to_mmcv():
    align = pytest.importorskip('mmcv.ops').RoIAlign(3, 0.5)
    x = torch.randn(2, 4, 12, 12, dtype=torch.float64)
    rois = torch.tensor([[1, 2, 3, 9, 17]], dtype=torch.float64)
    assert torch.equal(FastRoIAlign(align)(x, rois), align(x, rois))
