"""Pruning by multiply-adds: exact, monotone, equal to global pruning where all cost the same."""
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlth.core import Layer, Scores, draw
from mmlth.core.drawing.budget import prune_within
from mmlth.core.drawing.compute import check_budget
from mmlth.core.errors import UserError

SPARSITY = st.floats(0, 1, exclude_max=True)
SIZES = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), st.booleans()), min_size=1,
                 max_size=5)


def counted(costs):
    return {name: Layer(macs=cost) for name, cost in costs.items()}


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
    mask = draw(weights, sparsity, allocation='compute', layers=counted(costs))
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
    mask = draw(weights, sparsity, allocation='compute', layers=counted(dict.fromkeys(costs, cost)))
    expected = draw(weights, sparsity)
    assert all(torch.equal(mask[name], expected[name]) for name in weights)


@given(SIZES, st.lists(SPARSITY, min_size=2, max_size=4), st.integers(0, 99),
       st.sampled_from([0, 0.05]))
def test_masks_shrink_and_the_floor_holds(sizes, sparsities, seed, floor):
    weights, costs = layers(sizes, seed)
    earlier = None
    for sparsity in sorted(0.8 * s for s in sparsities):
        try:
            mask = draw(weights, sparsity, allocation='compute', layers=counted(costs),
                        earlier=earlier, floor=floor)
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
    mask = draw(weights, sparsity, allocation='compute', layers=counted(costs))
    worth = {n: w.double().square() / costs[n] for n, w in weights.items()}
    kept = torch.cat([worth[n][keep] for n, keep in mask.items()])
    gone = torch.cat([worth[n][~keep] for n, keep in mask.items()])
    assert not len(kept) or not len(gone) or kept.min() >= gone.max() * (1 - 1e-6)


def test_a_lower_sparsity_than_the_earlier_is_refused():
    weights = {'a': torch.randn(1, 50), 'b': torch.randn(1, 50)}
    costs = dict(a=1, b=9)
    earlier = draw(weights, 0.8, allocation='compute', layers=counted(costs))
    with pytest.raises(UserError, match='masks can only shrink'):
        draw(weights, 0.5, allocation='compute', layers=counted(costs), earlier=earlier)


def test_a_score_that_is_no_magnitude_is_refused():
    with pytest.raises(UserError, match="'compute' weighs squared .* score='magnitude'.* 'random'"):
        draw({'w': torch.randn(5)}, 0.5, allocation='compute', score='random')


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_compared_as_single(dtype):
    weights = {'a': torch.randn(4, 30).to(dtype), 'b': torch.randn(4, 9).to(dtype)}
    costs = dict(a=4, b=100)
    found = draw(weights, 0.7, allocation='compute', layers=counted(costs))
    wide = draw({n: w.float() for n, w in weights.items()}, 0.7, allocation='compute',
                layers=counted(costs))
    assert all(torch.equal(found[n], wide[n]) for n in weights)
