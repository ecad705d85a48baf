"""Multiply-adds, against numbers worked out by hand and against PyTorch's own counter."""
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from mmlth.core.flops import compute_sparsity, count_flops, multiply_adds, sparse_flops


class Network(nn.Module):
    """Every kind of layer, two of them called twice, one never."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.other = nn.MultiheadAttention(6, 1, kdim=3, vdim=3, batch_first=True)
        self.linear, self.unused = nn.Linear(6, 5), nn.Linear(4, 4)
        self.same = self.linear

    def forward(self, image):
        maps = self.up(self.depthwise(self.depthwise(self.norm(self.conv(image)))))
        tokens = maps.flatten(2).transpose(1, 2)
        memory = image.flatten(2).transpose(1, 2)
        tokens = self.attention(tokens[:, :7], key=tokens, value=tokens)[0]
        tokens = self.other(tokens, memory, memory)[0]
        return self.linear(tokens), self.same(tokens[:, :2])


def test_multiply_adds_by_hand():
    model, image = Network().eval(), torch.randn(1, 3, 10, 12)
    modes = [m.training for m in model.modules()]
    costs = multiply_adds(model, lambda: model(image)).entries
    assert costs == {
        'conv.weight': 30, 'norm.weight': 30, 'depthwise.weight': 60, 'up.weight': 30,
        'attention.in_proj_weight': (7 + 120 + 120) / 3, 'attention.out_proj.weight': 7,
        'other.q_proj_weight': 7, 'other.k_proj_weight': 120, 'other.v_proj_weight': 120,
        'other.out_proj.weight': 7, 'linear.weight': 9, 'unused.weight': 0}
    assert [m.training for m in model.modules()] == modes
    assert not any(m._forward_hooks for m in model.modules())


def test_a_teacher_counts_as_its_student():
    model = nn.ModuleDict({who: nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
                           for who in ('student', 'teacher')}).eval()
    found = multiply_adds(model, lambda: model.teacher(torch.randn(1, 1, 3, 3)))
    assert found.entries == {'student.0.weight': 9, 'student.1.weight': 9} and found.total == 18


try:
    from torch.utils.flop_counter import FlopCounterMode
except ImportError:         # before PyTorch 2.1
    FlopCounterMode = None


@settings(max_examples=40)
@given(dims=st.integers(1, 3), batch=st.integers(1, 2), groups=st.integers(1, 3),
       channels=st.tuples(st.integers(1, 2), st.integers(1, 2)), kernel=st.integers(1, 3),
       stride=st.integers(1, 2), dilation=st.integers(1, 2), padding=st.integers(0, 2),
       transposed=st.booleans(), bias=st.booleans())
def test_convolutions_by_formula_and_by_torch(dims, batch, groups, channels, kernel, stride,
                                              dilation, padding, transposed, bias):
    inputs, outputs = (groups * n for n in channels)
    kind = getattr(nn, f'Conv{"Transpose" if transposed else ""}{dims}d')
    conv = kind(inputs, outputs, kernel, stride, padding, groups=groups, bias=bias,
                dilation=dilation)
    image = torch.randn(batch, inputs, *(6 + n for n in range(dims)))
    found = multiply_adds(conv, lambda: conv(image))
    places = (image if transposed else conv(image)).numel() / (inputs if transposed else outputs)
    assert found.entries == {'weight': places}
    # Each output (of a transposed one: input) channel meets the channels of its group alone.
    assert found.total == places * kernel ** dims * inputs * outputs / groups
    if FlopCounterMode is not None:
        with FlopCounterMode(display=False) as counted:
            conv(image)
        assert 2 * found.total == counted.get_total_flops()


@settings(max_examples=30)
@given(batch=st.lists(st.integers(1, 3), max_size=3), sizes=st.tuples(*2 * [st.integers(1, 5)]),
       bias=st.booleans())
def test_linear_layers_map_as_many_vectors_as_there_are(batch, sizes, bias):
    linear = nn.Linear(*sizes, bias=bias)
    found = multiply_adds(linear, lambda: linear(torch.randn(*batch, sizes[0])))
    vectors = math.prod(batch)
    assert found.entries == {'weight': vectors} and found.total == vectors * math.prod(sizes)


class Unusual(nn.Module):
    """Weights that other modules use, that are cut, cast or standardised first, or a batch."""

    def __init__(self):
        super().__init__()
        self.linear, self.conv = nn.Linear(4, 6), nn.Conv2d(2, 3, 3)
        self.cast, self.experts = nn.Linear(6, 6).double(), nn.Linear(4, 8)
        self.norm, self.embedding = nn.LayerNorm((2, 5, 5)), nn.Embedding(3, 4)

    def forward(self, image):
        weight = self.conv.weight       # as mmcv's ConvWS2d has it
        flat = weight.view(3, -1)
        weight = ((weight - flat.mean(1).view(3, 1, 1, 1)) / (flat.std(1).view(3, 1, 1, 1) + 1))
        maps = functional.conv2d(self.norm(image), weight)                  # 3 x 3 places
        tokens = functional.linear(self.embedding(torch.zeros(7).long()), self.linear.weight)
        tokens = tokens @ self.cast.weight.float().t()                      # 7 vectors
        several = self.experts.weight.view(2, 4, 4)                         # 5 vectors each
        found = torch.einsum('eik,ekj->eij', torch.ones(2, 5, 4), several)
        half = functional.linear(torch.ones(2, 4), self.linear.weight[:3])  # 2 vectors, a half
        return maps, tokens, found, half


def test_weights_that_are_not_used_as_they_are():
    model = Unusual().eval()
    found = multiply_adds(model, lambda: model(torch.randn(1, 2, 5, 5)))
    assert found.entries == {
        'conv.weight': 9, 'linear.weight': 7 + 2 / 2, 'cast.weight': 7, 'experts.weight': 5,
        'norm.weight': 1}       # its scale has an entry for each place
    assert found.total == 9 * 54 + 7 * 24 + 2 * 12 + 7 * 36 + 5 * 32


@pytest.mark.parametrize('fast', [False, True])
def test_attention_counts_also_where_it_is_fused(fast):
    """PyTorch's fused attention and encoder layers are one operator in eval mode."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).train(not fast)
    tokens = torch.randn(3, 5, 8)
    found = multiply_adds(layer, lambda: layer(tokens))
    names = ['self_attn.in_proj_weight', 'self_attn.out_proj.weight', 'linear1.weight',
             'linear2.weight']
    assert {n: found.entries[n] for n in names} == dict.fromkeys(names, 15)
    weights = 15 * (3 * 64 + 64 + 2 * 128)
    assert found.total == weights + 3 * 2 * 2 * (5 * 5 * 4)     # two products for each head


@pytest.mark.parametrize('mode', [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_the_counts_are_the_same_whether_gradients_are_kept_or_not(mode):
    model, image = Network().eval(), torch.randn(1, 3, 10, 12)

    def run():
        with mode():
            model(image)

    assert multiply_adds(model, run) == multiply_adds(model, lambda: model(image))


def test_hooks_go_and_modes_return_after_a_failure():
    model = Network().train()
    with pytest.raises(RuntimeError):
        multiply_adds(model, lambda: model(torch.randn(1, 2, 4, 4)))
    assert model.training and not any(m._forward_hooks for m in model.modules())


def test_compute_sparsity_by_hand():
    mask = {'a': torch.tensor([[True, False]]), 'b': torch.zeros(1, 3, dtype=torch.bool)}
    assert compute_sparsity(mask, dict(a=10, b=2)) == (10 + 6) / 26
    assert compute_sparsity(mask, dict(a=0, b=0)) is None
    assert np.isclose(compute_sparsity({'a': mask['a']}, dict(a=3)), 0.5)


def test_operations_are_two_for_each_multiply_add():
    model, image = Network().eval(), torch.randn(1, 3, 10, 12)
    found, counts = multiply_adds(model, lambda: model(image)), count_flops(
        model, lambda: model(image))
    assert counts['total'] == 2 * found.total and counts['layers'] == {
        n: round(2 * found.entries[n] * p.numel()) for n, p in model.named_parameters()
        if n.endswith('weight') and n not in ('norm.weight', 'unused.weight')}
    attention = 2 * (2 * 7 * 120 * 6)   # 7 queries, 120 keys, 120 values of 6, in two layers
    assert counts['total'] == pytest.approx(sum(counts['layers'].values()) + 2 * attention)
    left = sparse_flops(counts, {'conv.weight': 0.75, 'linear.weight': 1.0, 'elsewhere': 1.0})
    conv, linear = (counts['layers'][f'{name}.weight'] for name in ('conv', 'linear'))
    assert left == counts['total'] - 0.75 * conv - linear
