"""sparsify: what is folded, what is left alone, and that the model computes the same."""
import copy
import subprocess
import sys
from math import inf
from pathlib import Path
from time import sleep

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmlth.core.errors import UserError
from mmlth.sparse import (SparseConv2d, SparseLinear, build, convert, fold_batch_norms, ops,
                          sparsify, trace)
from mmlth.sparse.others import FastMaxPool2d

needs_kernels = pytest.mark.skipif(ops.unavailable() is not None, reason=str(ops.unavailable()))


@pytest.fixture
def always(monkeypatch):
    """Sparse, however fast: these layers are too small for a time to mean much."""
    monkeypatch.setattr(convert, 'GAIN', inf)


def test_no_mm_package_is_imported():
    """Sparse models are plain PyTorch too."""
    program = ("import sys, mmlth.sparse; print(*{m.split('.')[0] for m in sys.modules "
               "if m.startswith('mm') and m.split('.')[0] != 'mmap'})")
    found = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                           check=True).stdout.split()
    assert found == ['mmlth']


class Weighted(nn.Conv2d):
    """A subclass may compute anything."""


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        # One head for two levels, each with its norm.
        self.head = nn.Conv2d(16, 16, 3, padding=1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(16), nn.BatchNorm2d(16)])
        self.read_twice, self.its_norm = nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16)
        self.by_weight = nn.Conv2d(16, 16, 1)
        self.hooked, self.subclass = nn.Conv2d(16, 16, 1), Weighted(16, 16, 1)
        self.hooked.register_forward_hook(lambda module, args, output: output + 1)
        self.unused, self.full = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)
        self.linear = nn.Linear(16, 24)
        self.same_linear = self.linear
        self.tied = nn.ModuleList([nn.Linear(24, 24), nn.Linear(24, 24)])
        self.tied[1].weight = self.tied[0].weight
        self.reflect = nn.Conv2d(16, 16, 3, padding=1, padding_mode='reflect')

    def forward(self, x):
        x = self.norm(self.conv(x)).relu_()
        levels = [norm(self.head(y)) for norm, y in zip(self.norms, (x, x[..., ::2, ::2]))]
        raw = self.read_twice(levels[0])
        x = self.its_norm(raw) + raw + levels[1].mean()
        x = x + F.conv2d(x, self.by_weight.weight) + self.by_weight(x)
        x = self.reflect(self.full(self.subclass(self.hooked(x))))
        x = self.same_linear(x.flatten(2).transpose(1, 2))
        return self.tied[1](self.tied[0](x)), self.linear(x[..., :16])


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = Model().eval()
    with torch.no_grad():
        for name, param in model.named_parameters():
            if param.dim() > 1 and not name.startswith('full'):
                param.mul_(torch.rand_like(param) < 0.3)
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                for values in (norm.running_mean, norm.weight, norm.bias):
                    values.normal_()
                norm.running_var.uniform_(0.5, 2)
    return model


@needs_kernels
def test_the_same_results(model, always):
    x = torch.randn(2, 16, 14, 14)
    with torch.no_grad():
        expected = [y.double() for y in copy.deepcopy(model).double()(x.double())]
        report = sparsify(model, x)
        found = model(x)
    for a, b in zip(found, expected):
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()
    sparse = {name for name, m in model.named_modules()
              if isinstance(m, (SparseConv2d, SparseLinear))}
    assert sparse == {'conv', 'head', 'read_twice', 'linear'}
    assert model.same_linear is model.linear
    assert {row.name for row in report.layers if row.chosen == 'sparse'} == sparse
    why = {row.name: row.why for row in report.layers}
    assert why['by_weight'] == why['tied.0'] == 'its weights are read outside the layer'
    assert why['unused'] == 'the example does not reach it'
    assert why['full'] == 'too few zeros'
    calls = {row.name: row.calls for row in report.layers}
    assert calls['head'] == calls['linear'] == 2


@needs_kernels
@pytest.mark.parametrize('pool', [nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(5, 1, 2, ceil_mode=True)])
def test_max_pooling(always, pool):
    model = nn.Sequential(nn.Conv2d(3, 8, 1), pool, pool).eval()
    x = torch.randn(2, 3, 13, 17)
    with torch.no_grad():
        expected = model(x)
        report = sparsify(model, x)
        assert report.pools == 1 and isinstance(model[1], FastMaxPool2d)
        assert torch.equal(model(x), expected) and model(x).is_contiguous()


def test_only_what_one_norm_alone_reads_is_folded(model):
    assert fold_batch_norms(model, torch.randn(1, 16, 14, 14)) == 1
    assert isinstance(model.norm, nn.Identity) and model.conv.bias is not None
    assert isinstance(model.its_norm, nn.BatchNorm2d)
    assert all(isinstance(norm, nn.BatchNorm2d) for norm in model.norms)


def test_zeros_stay_zeros(model):
    zeros = model.conv.weight == 0
    fold_batch_norms(model, torch.randn(1, 16, 14, 14))
    assert torch.equal(model.conv.weight == 0, zeros)


@needs_kernels
def test_what_is_slower_sparse_stays_dense(model, monkeypatch):
    monkeypatch.setattr(convert, 'GAIN', 0)
    report = sparsify(model, torch.randn(1, 16, 14, 14))
    assert {row.chosen for row in report.layers} == {'dense'}
    assert {row.name for row in report.layers if row.why == 'dense is faster'} == {
        'conv', 'head', 'read_twice', 'linear'}
    assert 'dense is faster' in report.to_text()


@needs_kernels
def test_a_layer_too_large_for_the_offsets_says_so():
    """No tile of a dilation of thousands fits."""
    model = nn.Sequential(nn.Conv2d(2, 2, 2, dilation=1 << 14, padding=1 << 13)).eval()
    with torch.no_grad():
        model[0].weight[0] = 0
    row, = sparsify(model, torch.randn(1, 2, 8, 8)).layers
    assert (row.chosen, row.why) == ('dense', 'one tile of its input is too large')


@needs_kernels
def test_what_pytorch_runs_as_one_operator_stays_dense(always):
    """With hooks, as they are measured, its linear layers are called; else their weights read."""
    encoder = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True)
    model = nn.Sequential(nn.Linear(32, 32), encoder)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(torch.rand_like(layer.weight) < 0.2)
    report = sparsify(model.eval(), torch.randn(2, 30, 32))
    chosen = {row.name: row.chosen for row in report.layers}
    assert chosen == {'0': 'sparse', '1.linear1': 'dense', '1.linear2': 'dense'}
    assert {row.why for row in report.layers[1:]} == {'its weights are read outside the layer'}


class Resentful(nn.Module):
    """Its layer gains, it loses."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(64, 64, 3, padding=1)

    def forward(self, x):
        if isinstance(self.conv, SparseConv2d):
            sleep(0.2)
        return self.conv(x)


@needs_kernels
def test_a_whole_model_that_is_slower_sparse_stays_dense():
    model, x = Resentful().eval(), torch.randn(1, 64, 60, 60)
    conv = model.conv
    with torch.no_grad():
        conv.weight.mul_(torch.rand_like(conv.weight) < 0.05)
    report = sparsify(model, x)
    assert model.conv is conv
    assert report.layers[0].sparse_ms < report.layers[0].dense_ms
    assert report.layers[0].chosen == 'dense'
    assert report.layers[0].why == 'the whole model is no faster'
    assert report.sparse_ms > report.dense_ms and 'the whole model takes' in report.summary()


def test_without_a_compiler_all_stays_dense(model, monkeypatch):
    monkeypatch.setenv('CXX', 'no-such-compiler')
    reason = build.unavailable.__wrapped__()
    assert reason == (
        'the sparse kernels cannot be built or loaded, so all layers stay dense: there is no C++ '
        "compiler 'no-such-compiler' (on Debian: apt-get install g++)")
    monkeypatch.setattr(ops, 'unavailable', lambda: reason)
    x = torch.randn(1, 16, 14, 14)
    with torch.no_grad():
        expected = model(x)
        report = sparsify(model, x)
        assert all((a - b).abs().max() < 1e-4 for a, b in zip(model(x), expected))
    assert report.summary() == reason
    assert {row.chosen for row in report.layers} == {'dense'}


def test_before_pytorch_2_all_stays_dense(model, monkeypatch):
    monkeypatch.setattr(trace, 'WATCHES', False)
    monkeypatch.setattr(trace._Trace, '__torch_dispatch__', None)
    monkeypatch.setattr(ops, 'unavailable', ops.unavailable.__wrapped__)
    x = torch.randn(1, 16, 14, 14)
    with torch.no_grad():
        expected = model(x)
        report = sparsify(model, x)
        assert all(torch.equal(*pair) for pair in zip(model(x), expected))
    assert report.summary() == ('what a model does with its weights cannot be seen before PyTorch '
                                '2.0, so all layers stay dense')
    assert {row.chosen for row in report.layers} == {'dense'} and not report.folded


def test_a_failed_build_leaves_nothing_and_says_why(monkeypatch, tmp_path):
    def fail(**kwargs):
        (Path(kwargs['build_directory']) / 'kernels.so').write_bytes(b'half')
        raise RuntimeError('ninja says much\nops.cpp:3: error: no such thing\nand more')
    monkeypatch.setenv('MMLTH_CACHE', str(tmp_path))
    monkeypatch.setattr('torch.utils.cpp_extension.load', fail)
    assert build.unavailable.__wrapped__().endswith('stay dense: ops.cpp:3: error: no such thing')
    assert [path.name for path in tmp_path.rglob('*') if path.is_file()] == ['lock']


def test_a_model_in_training_mode_is_refused(model):
    with pytest.raises(UserError, match=r'call model.eval\(\) first'):
        sparsify(model.train(), torch.randn(1, 16, 14, 14))


@needs_kernels
def test_a_sparse_model_is_copied_and_saved(model, always, tmp_path):
    """Its buffers are ordinary ones."""
    x = torch.randn(1, 16, 14, 14)
    sparsify(model, x)
    other = copy.deepcopy(model)
    torch.save(other.state_dict(), tmp_path / 'weights.pth')
    with torch.no_grad():
        expected = model(x)
        other.load_state_dict(torch.load(tmp_path / 'weights.pth', weights_only=True))
        assert all(torch.equal(a, b) for a, b in zip(other(x), expected))
