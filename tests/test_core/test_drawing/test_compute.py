"""Pruning by multiply-adds: exact, monotone, equal to global pruning where all cost the same."""
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmlth.core import Scores, draw, prunable
from mmlth.core.costs import compute_sparsity, weight_costs
from mmlth.core.drawing.budget import prune_within
from mmlth.core.drawing.compute import check_budget
from mmlth.core.errors import UserError

SPARSITY = st.floats(0, 1, exclude_max=True)
SIZES = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), st.booleans()), min_size=1,
                 max_size=5)


def layers(sizes, seed):
    """Weights and costs; of rounded ones many are equal."""
    generator = torch.Generator().manual_seed(seed)
    weights = {f'l{i}': torch.randn(1, n, generator=generator) for i, (n, _, _) in
               enumerate(sizes)}
    for (_, _, rounded), weight in zip(sizes, weights.values()):
        weight.copy_(weight.round() if rounded else weight)
    return weights, {f'l{i}': cost ** 2 / 3 for i, (_, cost, _) in enumerate(sizes)}


def by_sorting(scores, costs, budget):
    """All entries in order, the index last; as many as fit."""
    entries = [(float(value), place, name, index) for place, (name, tensor) in
               enumerate(scores.items()) for index, value in enumerate(tensor.view(-1))]
    masks = {name: torch.ones_like(tensor, dtype=torch.bool) for name, tensor in scores.items()}
    for _, _, name, index in sorted(entries):
        if costs[name] > budget:
            break
        budget -= costs[name]
        masks[name].view(-1)[index] = False
    return masks


@given(SIZES, st.floats(0, 1.1), st.integers(0, 99), st.booleans())
def test_the_threshold_is_that_of_a_sort(sizes, part, seed, marked):
    scores, costs = layers(sizes, seed)
    if marked:
        for tensor in scores.values():
            tensor[:, ::3], tensor[:, 1::7] = -torch.inf, torch.inf
    costs = {name: Fraction(cost) for name, cost in costs.items()}
    budget = Fraction(part) * sum(costs[n] * t.numel() for n, t in scores.items())
    found, expected = prune_within(Scores(scores), costs, budget), by_sorting(scores, costs, budget)
    assert all(torch.equal(found[name], expected[name]) for name in scores)


@given(SIZES, SPARSITY, st.integers(0, 99))
def test_the_budget_is_met_up_to_one_weight(sizes, sparsity, seed):
    weights, costs = layers(sizes, seed)
    mask = draw(weights, sparsity, allocation='compute', costs=costs)
    check_budget(mask, sparsity, costs)
    for name, keep in mask.items():     # and one weight more, or less, is told
        if keep.any() and not keep.all() and len({max(1, c) for c in costs.values()}) == 1:
            keep.view(-1)[keep.view(-1).nonzero()[0]] = False
            with pytest.raises(UserError, match='multiply-adds is'):
                check_budget(mask, sparsity, costs)
            return


@given(SIZES, SPARSITY, st.integers(0, 99), st.sampled_from([0.2, 1, 49]))
def test_where_all_cost_the_same_it_is_global(sizes, sparsity, seed, cost):
    weights, costs = layers(sizes, seed)
    mask = draw(weights, sparsity, allocation='compute', costs=dict.fromkeys(costs, cost))
    expected = draw(weights, sparsity)
    assert all(torch.equal(mask[name], expected[name]) for name in weights)


@given(SIZES, st.lists(SPARSITY, min_size=2, max_size=4), st.integers(0, 99),
       st.sampled_from([0, 0.05]))
def test_masks_shrink_and_the_floor_holds(sizes, sparsities, seed, floor):
    weights, costs = layers(sizes, seed)
    earlier = None
    for sparsity in sorted(0.8 * s for s in sparsities):
        try:
            mask = draw(weights, sparsity, allocation='compute', costs=costs, earlier=earlier,
                        floor=floor)
        except UserError as error:
            assert floor and 'multiply-adds of' in str(error)
            return
        check_budget(mask, sparsity, costs)
        for name, keep in mask.items():
            assert not earlier or not (keep & ~earlier[name]).any()
            assert not floor or not keep.numel() or keep.sum() >= max(1, int(floor * keep.numel()))
        # The next training brings pruned weights back to any size: no way back in.
        weights = {n: torch.randn(w.shape) + 5 * ~mask[n] for n, w in weights.items()}
        earlier = mask


@settings(max_examples=30)
@given(SIZES, SPARSITY, st.integers(0, 99))
def test_no_other_choice_of_the_same_compute_loses_less(sizes, sparsity, seed):
    """The lowest w^2 / cost go: what survives is worth more per multiply-add, rounding aside."""
    weights, costs = layers(sizes, seed)
    costs = {name: max(1, cost) for name, cost in costs.items()}
    mask = draw(weights, sparsity, allocation='compute', costs=costs)
    worth = {n: w.double().square() / costs[n] for n, w in weights.items()}
    kept = torch.cat([worth[n][keep] for n, keep in mask.items()])
    gone = torch.cat([worth[n][~keep] for n, keep in mask.items()])
    assert not len(kept) or not len(gone) or kept.min() >= gone.max() * (1 - 1e-6)


def test_a_lower_sparsity_than_the_earlier_is_refused():
    weights = {'a': torch.randn(1, 50), 'b': torch.randn(1, 50)}
    costs = dict(a=1, b=9)
    earlier = draw(weights, 0.8, allocation='compute', costs=costs)
    with pytest.raises(UserError, match='masks can only shrink'):
        draw(weights, 0.5, allocation='compute', costs=costs, earlier=earlier)


def test_a_score_that_is_no_magnitude_is_refused():
    with pytest.raises(UserError, match="'compute' weighs squared .* score='magnitude'.* 'random'"):
        draw({'w': torch.randn(5)}, 0.5, allocation='compute', score='random')


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_compared_as_single(dtype):
    weights = {'a': torch.randn(4, 30).to(dtype), 'b': torch.randn(4, 9).to(dtype)}
    costs = dict(a=4, b=100)
    found = draw(weights, 0.7, allocation='compute', costs=costs)
    wide = draw({n: w.float() for n, w in weights.items()}, 0.7, allocation='compute', costs=costs)
    assert all(torch.equal(found[n], wide[n]) for n in weights)


# Counting

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
    costs = weight_costs(model, lambda: model(image))
    assert costs == {
        'conv.weight': 30, 'norm.weight': 30, 'depthwise.weight': 60, 'up.weight': 30,
        'attention.in_proj_weight': (7 + 120 + 120) / 3, 'attention.out_proj.weight': 7,
        'other.q_proj_weight': 7, 'other.k_proj_weight': 120, 'other.v_proj_weight': 120,
        'other.out_proj.weight': 7, 'linear.weight': 9, 'unused.weight': 0}
    assert [m.training for m in model.modules()] == modes
    assert not any(m._forward_hooks for m in model.modules())


def test_the_counts_are_those_of_torch():
    counter = pytest.importorskip('torch.utils.flop_counter')
    model, image = nn.Sequential(
        nn.Conv2d(3, 8, 3, dilation=2), nn.Conv2d(8, 4, 1, groups=2),
        nn.ConvTranspose2d(4, 2, 3, stride=2)).eval(), torch.randn(2, 3, 9, 9)
    costs = weight_costs(model, lambda: model(image))
    with counter.FlopCounterMode(display=False) as counted:
        model(image)
    assert 2 * sum(costs[n] * p.numel() for n, p in prunable(model).items()
                   ) == counted.get_total_flops()


def test_hooks_go_and_modes_return_after_a_failure():
    model = Network().train()
    with pytest.raises(RuntimeError):
        weight_costs(model, lambda: model(torch.randn(1, 2, 4, 4)))
    assert model.training and not any(m._forward_hooks for m in model.modules())


def test_compute_sparsity_by_hand():
    mask = {'a': torch.tensor([[True, False]]), 'b': torch.zeros(1, 3, dtype=torch.bool)}
    assert compute_sparsity(mask, dict(a=10, b=2)) == (10 + 6) / 26
    assert compute_sparsity(mask, dict(a=0, b=0)) is None
    assert np.isclose(compute_sparsity({'a': mask['a']}, dict(a=3)), 0.5)
