"""Control masks: what they keep of the ticket's mask, and what they break."""
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlth.core import CONTROLS, control_mask
from mmlth.core.drawing.control import find_control, random_mask, shuffled_mask
from mmlth.core.errors import UserError

SHAPES = st.lists(st.lists(st.integers(0, 5), max_size=4), min_size=1, max_size=4)
SEEDS = st.integers(0, 2**32 - 1)


def make(shapes, density, seed):
    generator = torch.Generator().manual_seed(seed)
    return {f'layer{i}': torch.rand(shape, generator=generator) < density
            for i, shape in enumerate(shapes)}


def counts(mask):
    return {name: int(keep.sum()) for name, keep in mask.items()}


def same(one, two):
    return list(one) == list(two) and all(torch.equal(one[n], two[n]) for n in one)


@settings(max_examples=60)
@given(SHAPES, st.floats(0, 1), SEEDS, st.sampled_from([random_mask, shuffled_mask]))
def test_every_layer_keeps_its_count_and_the_seed_decides(shapes, density, seed, control):
    mask = make(shapes, density, seed)
    before = {n: m.clone() for n, m in mask.items()}
    drawn = control(mask, seed)
    assert same(mask, before)
    assert counts(drawn) == counts(mask)
    assert all(m.dtype == torch.bool and m.shape == mask[n].shape and m.is_contiguous()
               for n, m in drawn.items())
    assert same(drawn, control(mask, seed))


@settings(max_examples=60)
@given(SHAPES, st.floats(0, 1), SEEDS)
def test_shuffling_keeps_the_spread_over_filters_inputs_and_kernels(shapes, density, seed):
    mask = make(shapes, density, seed)
    for name, keep in shuffled_mask(mask, seed).items():
        for dim in range(keep.dim()):
            spread, before = (m.movedim(dim, 0).flatten(1).sum(1) if m.dim() > 1 else m.int()
                              for m in (keep, mask[name]))
            if dim < 2:     # permuted
                spread, before = spread.sort().values, before.sort().values
            assert torch.equal(spread, before)


def test_the_controls_are_different_masks():
    mask = make([(20, 20, 3, 3), (100,)], 0.3, 0)
    drawn = [random_mask(mask, 0), random_mask(mask, 1), shuffled_mask(mask, 0),
             shuffled_mask(mask, 1), mask]
    for i, one in enumerate(drawn):
        for two in drawn[:i]:
            assert not any(torch.equal(one[n], two[n]) for n in mask)


def test_a_random_mask_breaks_the_spread_that_shuffling_keeps():
    mask = {'w': torch.zeros(10, 10, dtype=torch.bool)}
    mask['w'][3] = mask['w'][7] = True
    assert sorted(shuffled_mask(mask, 1)['w'].sum(1).tolist()) == 8 * [0] + [10, 10]
    assert max(random_mask(mask, 1)['w'].sum(1).tolist()) < 10


def test_inputs_and_outputs_are_permuted_apart():
    """A permutation of both at once would leave a diagonal its diagonal."""
    mask = {'w': torch.eye(30, dtype=torch.bool)}
    assert int(shuffled_mask(mask, 0)['w'].diagonal().sum()) < 10


def test_one_input_and_one_output_move_and_the_place_in_the_kernel_stays():
    mask = torch.zeros(50, 60, 3, 3, dtype=torch.bool)
    mask[7, 8, 0, 2] = True
    out, into, *place = shuffled_mask({'w': mask}, 0)['w'].nonzero()[0].tolist()
    assert out != 7 and into != 8 and place == [0, 2]


def test_random_places_are_uniform():
    mask = {'w': torch.arange(10) < 3}
    hits = sum(random_mask(mask, seed)['w'].int() for seed in range(500))
    assert int(hits.sum()) == 1500
    assert int(hits.min()) > 110 and int(hits.max()) < 190      # 150 each, 4 deviations


def test_control_mask_does_what_the_name_says():
    mask = make([(6, 7), (9,)], 0.5, 0)
    assert same(control_mask(mask, 'fresh_weights', 3), mask)
    assert same(control_mask(mask, 'random_mask', 3), random_mask(mask, 3))
    assert same(control_mask(mask, 'shuffled_mask', 3), shuffled_mask(mask, 3))
    dense = control_mask(mask, 'dense', 3)
    assert list(dense) == list(mask) and all(m.all() for m in dense.values())


def test_an_unknown_control_is_refused_with_those_there_are():
    for name in CONTROLS:
        find_control(name)
    for name in ('random', '', None):
        with pytest.raises(UserError, match='fresh_weights, random_mask, shuffled_mask, dense'):
            control_mask({}, name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('control', CONTROLS)
def test_cuda_has_the_same_masks_on_its_own_device(control):
    mask = make([(20, 30, 3, 3), (9,)], 0.5, 0)
    there = control_mask({n: m.cuda() for n, m in mask.items()}, control, 5)
    assert all(m.is_cuda for m in there.values())
    assert same({n: m.cpu() for n, m in there.items()}, control_mask(mask, control, 5))
