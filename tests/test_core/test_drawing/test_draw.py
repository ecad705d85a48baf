"""Drawing masks: exact counts, refusals, monotone rounds."""
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlth.core import Probe, Score, Scores, draw, round_sparsities
from mmlth.core.drawing.allocations import ALLOCATIONS
from mmlth.core.errors import UserError

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
SPARSITY = st.floats(0, 1, exclude_max=True)


@st.composite
def weights(draw_, dtypes=DTYPES):
    """A few layers, some of them empty or with many ties, each of its own dtype."""
    generator = torch.Generator().manual_seed(draw_(st.integers(0, 2**32 - 1)))
    result = {}
    for i, shape in enumerate(draw_(st.lists(
            st.lists(st.integers(0, 7), min_size=1, max_size=3), min_size=1, max_size=5))):
        values = torch.randn(shape, generator=generator)
        if draw_(st.booleans()):
            values = values.round()
        result[f'layer{i}.weight'] = values.to(draw_(st.sampled_from(dtypes)))
    return result


def zeros(mask):
    return {name: int((~keep).sum()) for name, keep in mask.items()}


@given(weights(), SPARSITY)
def test_global_prunes_exactly_the_share_of_all(tensors, sparsity):
    mask = draw(tensors, sparsity)
    total = sum(t.numel() for t in tensors.values())
    assert sum(zeros(mask).values()) == round(sparsity * total)
    assert {n: m.shape for n, m in mask.items()} == {n: t.shape for n, t in tensors.items()}
    kept = torch.cat([tensors[n].float().abs()[m] for n, m in mask.items()])
    gone = torch.cat([tensors[n].float().abs()[~m] for n, m in mask.items()])
    if len(kept) and len(gone):
        assert kept.min() >= gone.max()


@given(weights(), SPARSITY)
def test_layerwise_prunes_exactly_the_share_of_each(tensors, sparsity):
    mask = draw(tensors, sparsity, allocation='layerwise')
    assert zeros(mask) == {n: round(sparsity * t.numel()) for n, t in tensors.items()}
    for name, keep in mask.items():
        size = tensors[name].float().abs()
        if keep.any() and not keep.all():
            assert size[keep].min() >= size[~keep].max()


@pytest.mark.parametrize('allocation', ALLOCATIONS)
def test_sparsity_zero_keeps_all(allocation):
    tensors = {'a': torch.zeros(3, 3), 'b': torch.randn(4)}
    mask = draw(tensors, 0, allocation=allocation)
    assert list(mask) == ['a', 'b'] and all(bool(m.all()) for m in mask.values())


@pytest.mark.parametrize('allocation', ALLOCATIONS)
def test_sparsity_near_one(allocation):
    tensors = {'a': torch.randn(100, 100), 'b': torch.randn(300)}
    assert sum(zeros(draw(tensors, 0.9999, allocation=allocation)).values()) == (
        9999 + 300 if allocation == 'layerwise' else round(0.9999 * 10_300))
    nearly = np.nextafter(1.0, 0.0)
    assert sum(zeros(draw(tensors, nearly, allocation=allocation)).values()) == 10_300


@pytest.mark.parametrize('sparsity', [1, 1.0, -0.1, 80, float('nan'), float('inf'), '0.8', None,
                                      True, [0.8]])
def test_sparsity_outside_its_range_is_refused(sparsity):
    with pytest.raises(UserError, match=r'in \[0, 1\), got .*for 80 % write 0\.8'):
        draw({'w': torch.randn(5)}, sparsity)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UserError, match="unknown allocation 'glob', expected one of: "
                                        'global, layerwise, erk, compute, or N:M .* such as 2:4'):
        draw({'w': torch.randn(5)}, 0.5, allocation='glob')
    with pytest.raises(UserError, match="unknown score 'size', expected one of: magnitude, "
                                        'random, snip, grasp, synflow'):
        draw({'w': torch.randn(5)}, 0.5, score='size')


@pytest.mark.parametrize('allocation', ALLOCATIONS)
def test_non_finite_weights_are_refused(allocation):
    tensors = {'a': torch.randn(5), 'b.weight': torch.tensor([1.0, float('nan')])}
    with pytest.raises(UserError, match=r'b\.weight has 1 non-finite'):
        draw(tensors, 0.5, allocation=allocation)


@given(weights(), st.lists(SPARSITY, min_size=2, max_size=4), st.sampled_from(list(ALLOCATIONS)),
       st.integers(0, 2**32 - 1))
def test_masks_shrink_from_round_to_round(tensors, sparsities, allocation, seed):
    generator = torch.Generator().manual_seed(seed)
    earlier = None
    for sparsity in sorted(sparsities):
        mask = draw(tensors, sparsity, allocation=allocation, earlier=earlier)
        if allocation == 'layerwise':
            assert zeros(mask) == {n: round(sparsity * t.numel()) for n, t in tensors.items()}
        else:
            total = sum(t.numel() for t in tensors.values())
            assert sum(zeros(mask).values()) == round(sparsity * total)
        for name, keep in (earlier or {}).items():
            assert not (mask[name] & ~keep).any()
        # The next training brings pruned weights back to any size: no way back in.
        tensors = {n: torch.randn(t.shape, generator=generator) + 5 * ~mask[n]
                   for n, t in tensors.items()}
        earlier = mask


@pytest.mark.parametrize('allocation', ALLOCATIONS)
def test_a_sparsity_below_the_earlier_one_is_refused(allocation):
    tensors = {'w': torch.randn(50)}
    earlier = draw(tensors, 0.8)
    for iterations in (1, 3):
        with pytest.raises(UserError, match='sparsity 0.5 .* w: masks can only shrink'):
            draw(tensors, 0.5, earlier=earlier, allocation=allocation, iterations=iterations)
    assert torch.equal(draw(tensors, 0.8, earlier=earlier)['w'], earlier['w'])


def test_drawing_leaves_the_weights_alone():
    tensors = {'w': torch.randn(20, requires_grad=True)}
    before = tensors['w'].detach().clone()
    draw(tensors, 0.9, earlier=draw(tensors, 0.5))
    assert torch.equal(tensors['w'], before) and tensors['w']._version == 0


@given(weights(), SPARSITY, st.integers(2, 6), st.sampled_from(list(ALLOCATIONS)))
def test_magnitudes_are_the_same_in_any_number_of_steps(tensors, sparsity, steps, allocation):
    once = draw(tensors, sparsity, allocation=allocation)
    many = draw(tensors, sparsity, allocation=allocation, iterations=steps)
    assert all(torch.equal(once[n], many[n]) for n in tensors)


class Recorder:
    """A score of magnitudes that needs a probe, and what it saw at every step."""

    def __init__(self, probed=True):
        self.seen = []
        self.score = Score(self, 'recorded', probed)

    def __call__(self, weights, probe):
        self.seen.append({n: w.detach().clone() for n, w in weights.items()})
        return Scores(weights, absolute=True)

    def sparsities(self):
        """The fraction of zeros at every step."""
        return [sum(int((w == 0).sum()) for w in seen.values())
                / sum(w.numel() for w in seen.values()) for seen in self.seen]


PROBE = Probe(torch.nn.Identity(), losses=None, outputs=None)


def normal(**sizes):
    generator = torch.Generator().manual_seed(0)
    return {n: torch.randn(size, generator=generator) for n, size in sizes.items()}


def test_every_step_sees_the_weights_under_the_mask_so_far():
    recorder, tensors = Recorder(), normal(a=(700,), b=(30, 10))
    before = {n: t.clone() for n, t in tensors.items()}
    mask = draw(tensors, 0.9, score=recorder.score, probe=PROBE, iterations=4)
    assert recorder.sparsities() == pytest.approx(round_sparsities(0.9, 4)[:-1], abs=5e-4)
    for seen, later in zip(recorder.seen, [*recorder.seen[1:], mask]):
        assert all(torch.equal(w[w != 0], before[n][w != 0]) for n, w in seen.items())
        assert not any((later[n].bool() & (seen[n] == 0)).any() for n in seen)
    once = draw(tensors, 0.9)
    assert all(torch.equal(mask[n], once[n]) for n in mask)
    assert all(torch.equal(tensors[n], before[n]) for n in tensors)


def test_scores_that_see_no_network_are_taken_once():
    recorder = Recorder(probed=False)
    draw(normal(a=(50,)), 0.9, score=recorder.score, iterations=100)
    assert len(recorder.seen) == 1


def test_steps_start_at_the_earlier_mask():
    tensors = normal(a=(1000,))
    earlier = draw(tensors, 0.6)
    recorder = Recorder()
    draw(tensors, 0.975, score=recorder.score, probe=PROBE, iterations=4, earlier=earlier)
    assert recorder.sparsities() == [0.6, 0.8, 0.9, 0.95]


@settings(max_examples=40)
@given(weights([torch.float32]), st.lists(SPARSITY, min_size=2, max_size=3),
       st.integers(1, 5), st.sampled_from([a for a in ALLOCATIONS if a != 'compute']))
def test_steps_reach_the_exact_counts_over_rounds(tensors, sparsities, steps, allocation):
    """Rounding leaves some layers sparser than the next round's first steps ask for."""
    earlier = None
    score = Recorder().score
    for sparsity in sorted(sparsities):
        mask = draw(tensors, sparsity, score=score, probe=PROBE, iterations=steps,
                    allocation=allocation, earlier=earlier)
        counts = [t.numel() for t in tensors.values()]
        assert sum(zeros(mask).values()) == (
            sum(round(sparsity * n) for n in counts) if allocation == 'layerwise'
            else round(sparsity * sum(counts)))
        assert not any((mask[n] & ~m).any() for n, m in (earlier or {}).items())
        earlier, tensors = mask, {n: torch.randn(t.shape) for n, t in tensors.items()}


def test_steps_bring_back_nothing_that_rounding_took():
    """3.5 of 7 are 4 and 2.5 of 5 are 2: 0.42 in all, less than the 4 / 7 of one layer."""
    score = Recorder().score
    sizes = {'seven': (7,), **{f'five{i}': (5,) for i in range(10)}}
    earlier = draw(normal(**sizes), 0.5, allocation='layerwise')
    back = {n: torch.where(m, 1.0, 9.0) for n, m in earlier.items()}
    mask = draw(back, 0.6, score=score, probe=PROBE, iterations=4, allocation='layerwise',
                earlier=earlier)
    assert zeros(mask) == {n: 4 if n == 'seven' else 3 for n in sizes}
    assert not any((mask[n] & ~m).any() for n, m in earlier.items())


def test_the_weights_are_put_back_bit_for_bit_even_after_an_error():
    recorder, weight = Recorder(), torch.nn.Parameter(torch.randn(50))
    with torch.no_grad():
        weight[:2] = torch.tensor([-0.0, 1e-42])
    before = weight.detach().view(torch.int32).clone()

    def fails(weights, probe):
        assert weights['w'] is weight
        if recorder(weights, probe) and len(recorder.seen) == 3:
            raise ZeroDivisionError
        return recorder(weights, probe)

    with pytest.raises(ZeroDivisionError):
        draw({'w': weight}, 0.9, score=Score(fails, 'fails', probed=True), probe=PROBE,
             iterations=5)
    assert recorder.sparsities()[-1] > 0
    assert torch.equal(weight.detach().view(torch.int32), before)


@pytest.mark.parametrize('iterations', [0, -1, 1.0, True, '3', None])
def test_iterations_that_are_no_count_are_refused(iterations):
    with pytest.raises(UserError, match='iterations must be a whole number, at least 1, got'):
        draw({'w': torch.randn(5)}, 0.5, iterations=iterations)
