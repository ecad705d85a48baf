"""How masks change: schedules, drop and grow; three updates of RigL worked out by hand."""
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmlth.core import MaskBinding
from mmlth.core.updates import cosine_fraction, cubic_sparsity, drop_and_grow, random_growth


def test_cubic_sparsity_of_the_paper():
    """Equation 1 with s_i = 0: s_f + (0 - s_f) (1 - t)^3."""
    assert cubic_sparsity(0.8, 0) == 0
    assert cubic_sparsity(0.8, 0.5) == pytest.approx(0.8 - 0.8 / 8)
    assert cubic_sparsity(0.8, 1) == cubic_sparsity(0.8, 1.5) == 0.8


@given(final=st.floats(0, 0.999), points=st.lists(st.floats(0, 1.2), min_size=2))
def test_sparsity_never_falls_and_ends_exactly(final, points):
    values = [cubic_sparsity(final, p) for p in sorted(points)]
    assert values == sorted(values) and 0 <= values[0] and values[-1] <= final


def test_cosine_fraction_of_the_paper():
    """Section 3: alpha / 2 (1 + cos(t pi / T_end))."""
    assert cosine_fraction(0.3, 0) == 0.3
    assert cosine_fraction(0.3, 1 / 3) == pytest.approx(0.3 * 0.75)
    assert cosine_fraction(0.3, 0.5) == pytest.approx(0.15)
    assert cosine_fraction(0.3, 1) == cosine_fraction(0.3, 2) == 0


def naive(keep, weight, growth, fraction):
    """The same with Python's sort: lists of positions."""
    keep, weight, growth = (t.flatten().tolist() for t in (keep, weight, growth))
    alive = [i for i, k in enumerate(keep) if k]
    count = round(fraction * len(alive))
    dropped = sorted(alive, key=lambda i: (abs(weight[i]), i))[:count]
    left = [i for i in alive if i not in dropped]
    pruned = [i for i in range(len(keep)) if i not in left]
    grown = sorted(pruned, key=lambda i: (abs(growth[i]), i))[len(pruned) - count:]
    return sorted(left + grown)


@settings(deadline=None)
@given(shape=st.sampled_from([(1,), (7,), (4, 5), (3, 2, 2)]), seed=st.integers(0, 999),
       density=st.sampled_from([0, 0.2, 0.5, 1]), fraction=st.floats(0, 1),
       levels=st.sampled_from([2, 1000]))
def test_drop_and_grow_against_python(shape, seed, density, fraction, levels):
    """With few levels there are ties; the number of survivors stays, the arguments too."""
    generator = torch.Generator().manual_seed(seed)

    def numbers():
        return torch.randint(-levels, levels, shape, generator=generator).float()

    keep = torch.rand(shape, generator=generator) < density
    weight, growth = numbers() * keep, numbers()
    before = keep.clone(), weight.clone(), growth.clone()
    moved = drop_and_grow(dict(w=keep), dict(w=weight), dict(w=growth), fraction)['w']
    assert moved.flatten().nonzero().flatten().tolist() == naive(keep, weight, growth, fraction)
    assert moved.sum() == keep.sum() and moved.shape == keep.shape
    assert all(map(torch.equal, before, (keep, weight, growth)))


def test_a_large_layer():
    """Selection works by samples there; the counts are exact, no weight is on the wrong side."""
    generator = torch.Generator().manual_seed(0)
    keep = torch.rand(600, 500, generator=generator) < 0.2
    weight = torch.randn(600, 500, generator=generator) * keep
    growth = torch.randn(600, 500, generator=generator)
    moved = drop_and_grow(dict(w=keep), dict(w=weight), dict(w=growth), 0.3)['w']
    count, total = round(0.3 * int(keep.sum())), int(keep.sum())
    assert moved.sum() == total
    level = weight[keep].abs().sort().values[count]
    assert moved[weight.abs() >= level].all()
    left = keep & (weight.abs() >= level)
    assert int((moved & ~left).sum()) == count
    assert growth[moved & ~left].abs().min() >= growth[~moved].abs().max()


def test_a_layer_without_growth_keeps_its_mask():
    mask = dict(a=torch.tensor([True, False]), b=torch.tensor([True, False]))
    weights = dict(a=torch.ones(2), b=torch.ones(2))
    moved = drop_and_grow(mask, weights, dict(a=None, b=torch.tensor([0., 1.])), 1.0)
    assert moved['a'] is mask['a'] and moved['b'].tolist() == [False, True]


def test_random_growth_is_of_seed_and_iteration_alone():
    mask = dict(a=torch.ones(3, 4).bool(), b=torch.ones(5).bool())
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again = random_growth(mask, 3, 100), random_growth(mask, 3, 100)
    assert torch.equal(before, torch.get_rng_state())
    for other in (random_growth(mask, 4, 100), random_growth(mask, 3, 101)):
        assert not torch.equal(first['a'], other['a'])
    assert all(torch.equal(first[n], again[n]) and first[n].shape == mask[n].shape for n in mask)


def test_three_updates_of_rigl_by_hand():
    """One layer of 6 weights on one input, L = (w.x - y)^2 / 2, so that g = (w.x - y) x.

    The optimizer is SGD with learning rate 0.1; two weights of three move at each update:
    round(0.5 * 3) = 2. The steps between are those of the three weights that survive.
    """
    x = torch.tensor([1.0, 2.0, -1.0, 0.5, 4.0, -3.0])
    layer = nn.ParameterDict(dict(w=nn.Parameter(torch.tensor([0.5, -0.1, 0.3, 9.0, 9.0, 9.0]))))
    w = layer['w']
    sgd = torch.optim.SGD([w], lr=0.1)
    binding = MaskBinding(sgd, layer, dict(w=torch.tensor([True, True, True, False, False, False])))
    binding.scatter()

    def gradient(y):
        w.grad = None
        ((w * x).sum() - y).square().div(2).backward()

    def update():
        binding.rebind(drop_and_grow(binding.mask, layer, binding.gradients(), 0.5))

    def step():
        binding.gather(), sgd.step(), binding.scatter()

    def weights():
        return [round(v, 4) for v in w.tolist()]

    def alive():
        return binding.mask['w'].nonzero().flatten().tolist()

    # w.x = 0.5 - 0.2 - 0.3 = 0. Update 1, y = 1: error -1, |g| = |x|. Of |w| = .5 .1 .3 the
    # weights 1 and 2 are dropped; of |x| at 1 2 3 4 5 = 2 1 .5 4 3 the weights 4 and 5 grow.
    gradient(1.0)
    update()
    assert alive() == [0, 4, 5] and weights() == [0.5, 0, 0, 0, 0, 0]
    # Step, y = 1: error -0.5, g = -.5 at 0, -2 at 4, 1.5 at 5.
    gradient(1.0)
    step()
    assert weights() == [0.55, 0, 0, 0, 0.2, -0.15]
    # w.x = .55 + .8 + .45 = 1.8. Update 2, y = 2: error -0.2. Dropped: 4 (.2) and 5 (.15).
    # |g| at 1 2 3 4 5 = .4 .2 .1 .8 .6: both grow again, and keep their weights.
    gradient(2.0)
    update()
    assert alive() == [0, 4, 5] and weights() == [0.55, 0, 0, 0, 0.2, -0.15]
    # Step, y = 0.8: error 1, g = x: 0.55 - .1, 0.2 - .4, -0.15 + .3.
    gradient(0.8)
    step()
    assert weights() == [0.45, 0, 0, 0, -0.2, 0.15]
    # w.x = .45 - .8 - .45 = -.8. Another input now, x = 0 1 2 3 0 0: w.x = 0, y = 1, |g| = |x|.
    # Dropped: 5 (.15) and 4 (.2). |g| at 1 2 3 4 5 = 1 2 3 0 0: 2 and 3 grow, at 0.
    x = torch.tensor([0.0, 1.0, 2.0, 3.0, 0.0, 0.0])
    gradient(1.0)
    update()
    assert alive() == [0, 2, 3] and weights() == [0.45, 0, 0, 0, 0, 0]
    # Step: g = -x.
    gradient(1.0)
    step()
    assert weights() == [0.45, 0, 0.2, 0.3, 0, 0]
    assert math.isclose(float(w.detach() @ x), 1.3, rel_tol=1e-6)
