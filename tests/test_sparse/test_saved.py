"""Sparse models that are saved, and loaded elsewhere: in another process, by another processor."""
import pickle
import subprocess
import sys

import pytest
import torch
from test_convert import always  # noqa: F401 (a fixture)
from test_ops import kernels  # noqa: F401 (each instruction set, by itself)
from test_types import net
from torch import nn

from mmlth.core.errors import UserError
from mmlth.sparse import SparseConv2d, SparseLinear, ops, sparsify
from mmlth.sparse.others import FastMaxPool2d
from mmlth.sparse.pack import Plan

pytestmark = pytest.mark.skipif(ops.unavailable() is not None, reason=str(ops.unavailable()))
LOAD = '''
import sys, torch
model, x, expected = torch.load(sys.argv[1], weights_only=False)
with torch.no_grad():
    assert torch.equal(model(x), expected)
print(*{type(module).__name__ for module in model})'''


def test_in_another_process(always, kernels, tmp_path):  # noqa: F811
    if kernels != ops.use_kernels('fastest'):
        pytest.skip('the other process has the fastest')
    model, x = net(), torch.randn(2, 4, 12, 12)
    with torch.no_grad():
        sparsify(model, x)
        torch.save((model, x, model(x)), tmp_path / 'model.pth')
    done = subprocess.run([sys.executable, '-c', LOAD, str(tmp_path / 'model.pth')],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {'SparseConv2d', 'SparseLinear', 'FastMaxPool2d'} <= set(done.stdout.split())


@pytest.mark.parametrize('conv, shape', [
    (nn.Conv2d(6, 5, 3, padding=1), (2, 6, 9, 10)),
    (nn.Conv2d(6, 4, (1, 2), groups=2), (6, 9, 10))])
def test_what_is_packed_for_other_kernels(conv, shape):
    """No kernels have the registers for this tile."""
    x, other = torch.randn(shape), SparseConv2d(conv, Plan((7, 8), 3))
    with pytest.raises(RuntimeError, match='no kernel for tiles'):
        other(x)
    found, fitting = pickle.loads(pickle.dumps(other)), SparseConv2d(conv, Plan((1, 2), 3))
    assert torch.equal(found.weight, conv.weight)
    assert torch.allclose(found(x), conv(x), atol=1e-5)
    fitting.load_state_dict(other.state_dict())
    assert torch.equal(fitting(x), found(x))


def test_weights_come_with_how_they_are_packed():
    """Of equally many survivors, in other places of the packed block."""
    conv, x = nn.Conv2d(6, 5, 3), torch.randn(1, 6, 9, 10)
    one, other = SparseConv2d(conv, Plan((1, 4), 6)), SparseConv2d(conv, Plan((2, 2), 6))
    other.load_state_dict(one.state_dict())
    assert torch.equal(other.weight, conv.weight) and torch.equal(other(x), one(x))


@pytest.mark.parametrize('module', [
    SparseLinear(nn.Linear(6, 5), Plan((1, 2), 6)), FastMaxPool2d(nn.MaxPool2d(2))])
def test_where_there_are_no_kernels_it_says_so(module, monkeypatch):
    saved = pickle.dumps(module)
    monkeypatch.setattr(ops, 'unavailable', lambda: 'there is no compiler')
    with pytest.raises(UserError) as error:
        pickle.loads(saved)
    assert str(error.value) == (
        'this model was saved sparse and cannot run here (there is no compiler): load it where the '
        'kernels can be built, or save the dense model')
