"""Batch norms are folded where that changes nothing, whatever else a model does."""
import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from mmlth.sparse import fold_batch_norms, trace

pytestmark = pytest.mark.skipif(not trace.WATCHES, reason='nothing is folded before PyTorch 2.0')


class Program(nn.Module):
    """Runs steps: (kind, which module, which of the values so far); returns some of the values."""

    def __init__(self, steps, returned):
        super().__init__()
        self.steps, self.returned = steps, returned
        self.convs = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1) for _ in range(2)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(4) for _ in range(2)])
        self.up = nn.ConvTranspose2d(4, 4, 3, padding=1)
        for norm in self.norms:
            nn.init.uniform_(norm.running_mean, -1, 1)
            nn.init.uniform_(norm.running_var, 0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.uniform_(norm.bias, -1, 1)
        self.listed = list(self.norms)      # no submodules

    def step(self, kind, which, x):
        if kind == 'keep':
            self.kept = x
        return {'conv': lambda: self.convs[which](x), 'norm': lambda: self.norms[which](x),
                'listed norm': lambda: self.listed[which](x), 'up': lambda: self.up(x),
                'relu': lambda: x.relu(), 'view': lambda: x.view(-1).view_as(x),
                'keep': lambda: self.kept + 1, 'numpy': lambda: torch.tensor(x.numpy() * 2),
                'function': lambda: F.conv2d(x, self.convs[which].weight, padding=1),
                'scale': lambda: x * self.norms[which].weight[:, None, None]
                if hasattr(self.norms[which], 'weight') else x.fill_(torch.nan)}[kind]()

    def forward(self, x):
        values = [x]
        for kind, which, source in self.steps:
            values.append(self.step(kind, which, values[source % len(values)]))
        return [values[i % len(values)] for i in self.returned]


def folded(steps, returned=(-1,)):
    """How many are folded; the results are the same, also those that are kept."""
    torch.manual_seed(0)
    model, x = Program(steps, returned).eval(), torch.randn(1, 4, 5, 6)
    exact = copy.deepcopy(model).double()
    exact.listed = list(exact.norms)
    with torch.no_grad():
        count = fold_batch_norms(model, x)
        found, expected = model(x), exact(x.double())
    if hasattr(model, 'kept'):
        found, expected = [*found, model.kept], [*expected, exact.kept]
    for a, b in zip(found, expected):
        assert (a - b).abs().max() <= 1e-4 * b.abs().max()
    return count


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(
    st.sampled_from(['conv', 'conv', 'norm', 'norm', 'listed norm', 'up', 'relu', 'view', 'keep',
                     'numpy', 'function', 'scale']),
    st.integers(0, 1), st.sampled_from([-1, -1, -1, -2, -3, 0])), min_size=2, max_size=7),
    st.lists(st.sampled_from([-1, -1, -2, -3]), min_size=1, max_size=2))
def test_any_program_computes_the_same(steps, returned):
    folded(steps, returned)


CONV, NORM = ('conv', 0, -1), ('norm', 0, -1)


@pytest.mark.parametrize('count, steps', [
    (1, [CONV, NORM, ('relu', 0, -1)]),
    (1, [CONV, ('listed norm', 0, -1)]),
    (1, [CONV, NORM, CONV, NORM]),                          # one norm, one convolution, twice
    (2, [CONV, NORM, ('conv', 1, -1), ('norm', 1, -1)]),
    (0, [CONV, NORM, ('relu', 0, -1), NORM]),               # on something else, too
    (0, [CONV, NORM, ('up', 0, -1), NORM]),
    (0, [CONV, NORM, ('conv', 1, -1), NORM]),
    (0, [CONV, NORM, CONV]),
    (0, [CONV, ('keep', 0, -1), ('norm', 0, -2)]),
    (0, [CONV, ('numpy', 0, -1), ('norm', 0, -2)]),
    (0, [CONV, NORM, ('function', 0, -1)]),
    (0, [CONV, NORM, ('scale', 0, -1)])])                   # its weight is read outside
def test_what_is_folded(count, steps):
    assert folded(steps) == count


def test_an_output_that_is_returned_or_kept_is_not_scaled():
    assert folded([CONV, NORM], returned=[-2, -1]) == 0
    assert folded([CONV, NORM, ('keep', 0, -2)]) == 0
