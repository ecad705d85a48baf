"""Layers that use another kernel than their weight."""
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from mmlth.core import prunable
from mmlth.core.kernels import refilled, unmaskable, used_kernel


def standardised(weight):
    flat = weight.flatten(1)
    centred = flat - flat.mean(1, keepdim=True)
    return (centred / (flat.std(1, keepdim=True) + 1e-5)).view_as(weight)


class WSConv(nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(x, standardised(self.weight), self.bias)


class WSLinear(nn.Module):
    """No subclass of nn.Linear, a matrix product of its own."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 10))

    def forward(self, x):
        return x @ standardised(self.weight).t()


class Hidden(WSConv):
    """The product is made by an operator that nothing sees."""

    def forward(self, x):
        kernel = standardised(self.weight)
        return torch.from_numpy(x.numpy() * float(kernel.numpy().sum()))


class CosineLinear(nn.Linear):
    """Zeros stay zeros."""

    def forward(self, x):
        return nn.functional.linear(x, nn.functional.normalize(self.weight))


class Einsum(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 10))

    def forward(self, x):
        return torch.einsum('oi,ni->no', self.weight, x)


def every_third(model):
    return {name: (torch.arange(w.numel()) % 3 == 0).view(w.shape)
            for name, w in prunable(model).items()}


PLAIN = dict(
    conv=lambda: nn.Conv2d(4, 6, 3, groups=2, padding=1),
    reflected=lambda: nn.Conv2d(4, 6, 5, padding=2, padding_mode='reflect', dilation=2),
    depthwise=lambda: nn.Conv2d(4, 4, 3, groups=4), conv1d=lambda: nn.Conv1d(3, 4, 3),
    conv3d=lambda: nn.Conv3d(2, 3, 2), transposed=lambda: nn.ConvTranspose2d(4, 6, 3, groups=2),
    linear=lambda: nn.Linear(5, 7), one_output=lambda: nn.Linear(5, 1), cosine=lambda:
    CosineLinear(5, 7), einsum=Einsum)


@pytest.mark.parametrize('name', PLAIN)
def test_layers_that_use_what_is_masked(name):
    model = nn.Sequential(PLAIN[name]())
    assert used_kernel(model[0], model[0].weight) is not None
    assert refilled(model, every_third(model)) == {}


@pytest.mark.parametrize('layer', [lambda: WSConv(4, 6, 3), WSLinear, lambda: Hidden(4, 6, 3)],
                         ids=['conv', 'matmul', 'hidden'])
def test_standardised_weights_are_found_and_measured(layer):
    model = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), layer())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    weight, mask = model[2].weight, every_third(model)
    found = refilled(model, mask)
    assert list(found) == ['2.weight']
    used = found['2.weight']
    assert (used.kind, used.size) == (type(model[2]).__name__, weight.numel())
    assert used.zeros == int((~mask['2.weight']).sum()) and used.used == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(param.requires_grad for param in model.parameters()) and model.training


def test_a_filter_that_is_pruned_whole_stays_zero():
    model = nn.Sequential(WSConv(4, 6, 3))
    mask = {'0.weight': torch.ones(6, 4, 3, 3, dtype=torch.bool)}
    mask['0.weight'][:2] = False
    assert refilled(model, mask) == {}


def test_weights_of_norms_are_no_kernels():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.GroupNorm(2, 4))
    assert refilled(model, {f'{i}.weight': torch.ones(4, dtype=torch.bool) for i in (1, 2)}) == {}


def test_layers_that_do_not_run_alone_are_left_out():
    model = nn.Sequential(nn.MultiheadAttention(8, 2), nn.Bilinear(3, 4, 5))
    assert {'0.in_proj_weight', '1.weight'} <= set(every_third(model))
    assert refilled(model, every_third(model)) == {}


@pytest.mark.parametrize('change, names', [
    (lambda m: weight_norm(m, 'weight'), ['0.weight']),
    (lambda m: spectral_norm(m), ['0.weight']),
    (lambda m: prune.random_unstructured(m, 'weight', 0.5), ['0.weight']),
    (lambda m: parametrizations.weight_norm(m), ['0.weight']),
    (lambda m: parametrizations.spectral_norm(m), ['0.weight']),
    (lambda m: parametrize.register_parametrization(m, 'weight', nn.Identity()), ['0.weight']),
    (lambda m: m, [])],
    ids=['weight_norm', 'spectral_norm', 'prune', 'new weight_norm', 'new spectral_norm',
         'parametrize', 'plain'])
def test_weights_made_of_other_parameters_are_named(change, names):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(3, 4))
    change(model[0])
    assert unmaskable(model) == names
    assert set(prunable(model)) == ({'1.weight'} if names else {'0.weight', '1.weight'})


def test_recurrent_weights_are_named():
    model = nn.ModuleDict(dict(rnn=nn.LSTM(3, 4), loss=nn.CrossEntropyLoss(torch.ones(3))))
    assert unmaskable(model) == ['rnn.weight_ih_l0', 'rnn.weight_hh_l0']
    assert prunable(model) == {}
