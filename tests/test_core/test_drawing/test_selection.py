"""keep_highest against a stable sort, on every path it can take."""
import time
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmlth.core import Layer, Scores, keep_highest
from mmlth.core.drawing import arrays, selection
from mmlth.core.drawing.score import check_finite
from mmlth.core.errors import UserError

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
# Ties, both zeros, values that fp16 and bf16 round together, subnormals of fp16.
VALUES = [0.0, -0.0, 1.0, -1.0, 1.0004, 0.5, -0.5, 3e-7, -2.0, 300.0]


@contextmanager
def steps(sample, chunk):
    """Make the sample and the chunks small enough for small inputs to need many."""
    with patch.object(selection, 'SAMPLE', sample), patch.object(arrays, 'CHUNK', chunk):
        yield


def reference(tensors, prune, absolute=False):
    """Sort everything, prune the first: what keep_highest promises to equal."""
    flat = np.concatenate([t.float().reshape(-1).numpy() for t in tensors.values()])
    flat = np.abs(flat) if absolute else flat
    keep = np.ones(len(flat), bool)
    keep[np.argsort(flat, kind='stable')[:prune]] = False
    parts = torch.from_numpy(keep).split([t.numel() for t in tensors.values()])
    return {n: p.view(t.shape) for (n, t), p in zip(tensors.items(), parts)}


def assert_same(masks, expected):
    assert list(masks) == list(expected)
    for name, mask in masks.items():
        assert mask.dtype == torch.bool and mask.is_contiguous()
        assert torch.equal(mask, expected[name]), name


def named(lists, dtype):
    return {f'layer{i}.weight': torch.tensor(v, dtype=dtype) for i, v in enumerate(lists)}


@settings(max_examples=300)
@given(lists=st.lists(st.lists(st.sampled_from([*VALUES, -np.inf]), max_size=40),
                      min_size=1, max_size=5),
       dtype=st.sampled_from(DTYPES), absolute=st.booleans(),
       sizes=st.sampled_from([(1 << 18, 1 << 20), (16, 8), (4, 3), (1, 1)]), data=st.data())
def test_equals_a_stable_sort_on_ties(lists, dtype, absolute, sizes, data):
    if absolute:    # |-inf| is no score
        lists = [[v for v in values if v != -np.inf] for values in lists]
    tensors = named(lists, dtype)
    total = sum(map(len, lists))
    prune = data.draw(st.integers(0, total), label='prune')
    with steps(*sizes):
        masks = keep_highest(Scores(tensors, absolute), prune)
    assert sum(int((~m).sum()) for m in masks.values()) == prune
    assert_same(masks, reference(tensors, prune, absolute))


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(DTYPES),
       shapes=st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=6),
       fraction=st.floats(0, 1), absolute=st.booleans(),
       sizes=st.sampled_from([(1 << 18, 1 << 20), (64, 100), (16, 8), (2, 7)]))
@example(seed=0, dtype=torch.float32, shapes=[[]], fraction=1.0, absolute=True, sizes=(16, 8))
def test_equals_a_stable_sort_on_normal_weights(seed, dtype, shapes, fraction, absolute, sizes):
    generator = torch.Generator().manual_seed(seed)
    tensors = {f'{i}': torch.randn(shape, generator=generator).to(dtype)
               for i, shape in enumerate(shapes)}
    prune = round(fraction * sum(t.numel() for t in tensors.values()))
    with steps(*sizes):
        masks = keep_highest(Scores(tensors, absolute), prune)
    assert_same(masks, reference(tensors, prune, absolute))


@pytest.mark.parametrize('value', [0.0, -0.0, 0.25, -3.0])
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('sizes', [(1 << 18, 1 << 20), (16, 8)])
def test_equal_scores_go_in_the_order_of_tensors_then_of_index(value, dtype, sizes):
    tensors = {'b': torch.full((3, 7), value, dtype=dtype),
               'a': torch.full((20,), value, dtype=dtype)}
    for prune in range(42):
        with steps(*sizes):
            masks = keep_highest(Scores(tensors, absolute=True), prune)
        flat = torch.cat([masks['b'].view(-1), masks['a']])
        assert torch.equal(flat, torch.arange(41) >= prune)


@pytest.mark.parametrize('value', [0.0, 1000.0])
def test_a_misleading_sample_is_recovered_from(value):
    # Every tensor gives at least one sample, so 300 single weights, all the lowest or
    # all the highest, fill most of the sample but are few: the bracket misses.
    tensors = {f'bias{i}': torch.full((1,), value) for i in range(300)}
    tensors['weight'] = torch.randn(50, 60, generator=torch.Generator().manual_seed(1))
    results = []

    def spy(*args):
        results.append(rank_inside(*args))
        return results[-1]

    rank_inside = selection._rank_inside
    for prune in (1, 299, 300, 301, 1650, 2500, 3299):
        with steps(16, 8), patch.object(selection, '_rank_inside', spy):
            masks = keep_highest(Scores(tensors, absolute=True), prune)
        assert_same(masks, reference(tensors, prune, absolute=True))
    assert None in results, 'no miss: this test no longer reaches the path it is for'
    assert results[-1] is not None


@pytest.mark.parametrize('hidden', [0.01, 0.5, 0.99])
def test_what_was_pruned_before_goes_first(hidden):
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(40, 50, generator=generator)
    earlier = torch.rand(40, 50, generator=generator) >= hidden
    scores = Scores({'w': weights}, absolute=True).below({'w': earlier})
    gone = int((~earlier).sum())
    for prune in (gone - 1, gone, gone + 1, gone + 7):
        with steps(64, 100):
            mask = keep_highest(scores, prune)['w']
        assert int((~mask).sum()) == prune
        assert bool((~mask & ~earlier).sum() == min(prune, gone))
    assert torch.equal(weights, torch.where(earlier, weights, weights))   # no side effect


def test_scores_below_keep_dtype_and_the_weights():
    weights = torch.tensor([-2.0, 1.0, -0.5], dtype=torch.float16)
    hidden = Scores({'w': weights}, absolute=True, layers={'w': Layer(True)}).below(
        {'w': torch.tensor([True, False, True])})
    assert hidden.tensors['w'].dtype == torch.float16
    assert hidden.tensors['w'].tolist() == [2.0, -np.inf, 0.5]
    assert hidden.layers == {'w': Layer(True)} and hidden.copied and not hidden.absolute
    assert weights.tolist() == [-2.0, 1.0, -0.5]


def test_weights_in_channels_last_are_counted_in_logical_order():
    weights = torch.randn(4, 6, 3, 3, generator=torch.Generator().manual_seed(0)).round()
    strided = weights.to(memory_format=torch.channels_last)
    with steps(16, 8):
        mask = keep_highest(Scores({'w': strided}, absolute=True), 100)
    assert_same(mask, reference({'w': weights}, 100, absolute=True))


def test_parameters_that_require_grad_are_only_read():
    weights = torch.nn.Parameter(torch.randn(30))
    mask = keep_highest(Scores({'w': weights}, absolute=True), 10)['w']
    assert not mask.requires_grad and weights.grad is None and weights._version == 0


@pytest.mark.parametrize('prune', [-1, 7])
def test_more_than_there_is_cannot_be_pruned(prune):
    with pytest.raises(ValueError, match=f'cannot prune {prune} of 6'):
        keep_highest(Scores({'w': torch.zeros(6)}), prune)


def test_exact_beyond_2_to_24_elements():
    """torch.quantile refuses so many; fp32 counters and indices would be off by some."""
    size = (1 << 24) + 12_345
    weights = (torch.arange(size, dtype=torch.int32) % 5).half()
    prune = round(0.7 * size)
    began = time.perf_counter()
    mask = keep_highest(Scores({'w': weights}, absolute=True), prune)['w']
    assert time.perf_counter() - began < 10     # about 0.3 s here
    lower, equal = weights < 3, weights == 3
    ties = prune - int(lower.sum())
    assert int((~mask).sum()) == prune
    assert not mask[lower].any() and mask[weights > 3].all()
    assert 0 < ties < int(equal.sum())
    assert torch.equal(mask[equal], torch.arange(int(equal.sum())) >= ties)


def test_finite_weights_pass_even_if_their_sum_overflows():
    check_finite({'w': torch.full((9,), 3e38), 'v': torch.full((9,), 6e4).half(),
                  'u': torch.full((9,), 1.7e308, dtype=torch.float64), 'empty': torch.zeros(0)})


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('dtype', DTYPES)
def test_non_finite_weights_are_named(value, dtype):
    bad = torch.zeros(4, 5, dtype=dtype)
    bad[1, 2] = bad[3, 3] = value
    with pytest.raises(UserError, match=r'b\.weight has 2 non-finite weights .* of 20'):
        check_finite({'a.weight': torch.zeros(3), 'b.weight': bad})


def test_infinities_that_cancel_are_found():
    with pytest.raises(UserError, match='w has 2 non-finite'):
        check_finite({'w': torch.tensor([np.inf, -np.inf, 0.0])})


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('dtype', DTYPES)
def test_cuda_draws_the_same_masks(dtype):
    generator = torch.Generator().manual_seed(4)
    tensors = {f'{i}': torch.randn(1000, 300 + i, generator=generator).to(dtype)
               for i in range(3)}
    with steps(1 << 12, 1 << 10):
        here = keep_highest(Scores(tensors, absolute=True), 700_001)
        there = keep_highest(
            Scores({n: t.cuda() for n, t in tensors.items()}, absolute=True), 700_001)
    assert_same({n: m.cpu() for n, m in there.items()}, here)
