"""Drawing masks (exact counts, refusals, monotone rounds), packing and digests."""
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlth.core import draw, mask as masks
from mmlth.core.allocation import ALLOCATIONS
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


shaped_masks = st.lists(st.integers(0, 5), max_size=3).flatmap(
    lambda shape: st.lists(st.booleans(), min_size=int(np.prod(shape)),
                           max_size=int(np.prod(shape))).map(
        lambda bits: torch.tensor(bits, dtype=torch.bool).view(shape)))


def zeros(mask):
    return {name: int((~keep).sum()) for name, keep in mask.items()}


@settings(deadline=None)
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


@settings(deadline=None)
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
        round(0.9999 * 10_300) if allocation == 'global' else 9999 + 300)
    nearly = np.nextafter(1.0, 0.0)
    assert sum(zeros(draw(tensors, nearly, allocation=allocation)).values()) == 10_300


@pytest.mark.parametrize('sparsity', [1, 1.0, -0.1, 80, float('nan'), float('inf'), '0.8', None,
                                      True, [0.8]])
def test_sparsity_outside_its_range_is_refused(sparsity):
    with pytest.raises(UserError, match=r'in \[0, 1\), got .*for 80 % write 0\.8'):
        draw({'w': torch.randn(5)}, sparsity)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UserError, match="unknown allocation 'glob', expected one of: "
                                        'global, layerwise'):
        draw({'w': torch.randn(5)}, 0.5, allocation='glob')
    with pytest.raises(UserError, match="unknown score 'size', expected one of: magnitude"):
        draw({'w': torch.randn(5)}, 0.5, score='size')


@pytest.mark.parametrize('allocation', ALLOCATIONS)
def test_non_finite_weights_are_refused(allocation):
    tensors = {'a': torch.randn(5), 'b.weight': torch.tensor([1.0, float('nan')])}
    with pytest.raises(UserError, match=r'b\.weight has 1 non-finite'):
        draw(tensors, 0.5, allocation=allocation)


@settings(deadline=None)
@given(weights(), st.lists(SPARSITY, min_size=2, max_size=4), st.sampled_from(list(ALLOCATIONS)),
       st.integers(0, 2**32 - 1))
def test_masks_shrink_from_round_to_round(tensors, sparsities, allocation, seed):
    generator = torch.Generator().manual_seed(seed)
    earlier = None
    for sparsity in sorted(sparsities):
        mask = draw(tensors, sparsity, allocation=allocation, earlier=earlier)
        if allocation == 'global':
            total = sum(t.numel() for t in tensors.values())
            assert sum(zeros(mask).values()) == round(sparsity * total)
        else:
            assert zeros(mask) == {n: round(sparsity * t.numel()) for n, t in tensors.items()}
        for name, keep in (earlier or {}).items():
            assert not (mask[name] & ~keep).any()
        # The next training brings pruned weights back to any size: no way back in.
        tensors = {n: torch.randn(t.shape, generator=generator) + 5 * ~mask[n]
                   for n, t in tensors.items()}
        earlier = mask


def test_a_sparsity_below_the_earlier_one_is_refused():
    tensors = {'w': torch.randn(50)}
    earlier = draw(tensors, 0.8)
    with pytest.raises(UserError, match='sparsity 0.5 .* w: masks can only shrink'):
        draw(tensors, 0.5, earlier=earlier)
    assert torch.equal(draw(tensors, 0.8, earlier=earlier)['w'], earlier['w'])


def test_drawing_leaves_the_weights_alone():
    tensors = {'w': torch.randn(20, requires_grad=True)}
    before = tensors['w'].detach().clone()
    draw(tensors, 0.9, earlier=draw(tensors, 0.5))
    assert torch.equal(tensors['w'], before) and tensors['w']._version == 0


def test_apply_fills_with_plus_zero():
    values = torch.tensor([float('inf'), float('nan'), -1.0, 2.0])
    masks.apply({'w': torch.tensor([False, False, False, True])}, {'w': values})
    assert values.tolist() == [0, 0, 0, 2] and not torch.signbit(values).any()


def test_apply_wants_every_name():
    with pytest.raises(KeyError):
        masks.apply({'gone': torch.ones(1, dtype=torch.bool)}, {'w': torch.ones(1)})


def test_a_mask_that_matches_nothing_is_refused():
    params = {'backbone.conv1.weight': torch.zeros(2, 3)}
    with pytest.raises(UserError, match=r"t\.file: 1 of 1 masks match no parameter .*"
                                        r"'conv1\.weight'.*'backbone\.conv1\.weight'"):
        masks.check_fits({'conv1.weight': torch.ones(2, 3).bool()}, params, 't.file')
    with pytest.raises(UserError, match=r'backbone\.conv1\.weight has shape \(3, 2\), '
                                        r'the parameter \(2, 3\)'):
        masks.check_fits({'backbone.conv1.weight': torch.ones(3, 2).bool()}, params, 't.file')
    masks.check_fits({'backbone.conv1.weight': torch.ones(2, 3).bool()}, params, 't.file')


def test_counts():
    mask = {'a': torch.tensor([[True, False], [False, False]]), 'b': torch.ones(3).bool()}
    assert masks.size(mask) == 7 and masks.pruned(mask) == 3
    assert masks.size({}) == masks.pruned({}) == 0


@settings(deadline=None)
@given(shaped_masks)
def test_packing_is_one_bit_a_weight_and_can_be_undone(keep):
    bits = masks.pack(keep)
    assert bits.dtype == torch.uint8 and bits.shape == ((keep.numel() + 7) // 8,)
    back = masks.unpack(bits, keep.shape)
    assert back.dtype == torch.bool and torch.equal(back, keep)


def test_the_first_entry_is_the_high_bit():
    assert masks.pack(torch.tensor([True] + 8 * [False])).tolist() == [128, 0]


def test_a_strided_mask_is_packed_in_logical_order():
    keep = torch.rand(4, 6, 3, 3) > 0.5
    strided = keep.to(memory_format=torch.channels_last)
    assert torch.equal(masks.pack(strided), masks.pack(keep))


@pytest.mark.parametrize('shape', [(17,), (8,), (0,), (2**40,), (3, 2**62)])
def test_bits_of_another_length_are_refused(shape):
    with pytest.raises(ValueError, match='2 bytes of mask do not fit'):
        masks.unpack(torch.zeros(2, dtype=torch.uint8), shape)


def test_bits_of_another_type_are_refused():
    with pytest.raises(ValueError):
        masks.unpack(torch.zeros(2), (16,))
    with pytest.raises(ValueError):
        masks.unpack(torch.zeros(2, 1, dtype=torch.uint8), (16,))


@settings(deadline=None)
@given(shaped_masks.filter(lambda m: m.numel()), st.data())
def test_the_digest_sees_every_bit_name_and_shape(keep, data):
    mask = {'a': keep, 'b': torch.ones(3).bool()}
    digest = masks.digest(mask)
    assert digest == masks.digest({'b': mask['b'].clone(), 'a': keep.clone()})
    flipped = keep.clone().view(-1)
    flipped[data.draw(st.integers(0, keep.numel() - 1))] ^= True
    others = [{**mask, 'a': flipped.view(keep.shape)}, {'a': keep}, {'c': keep, 'b': mask['b']},
              {**mask, 'a': keep.unsqueeze(0)}, {**mask, 'c': torch.zeros(0).bool()}]
    assert digest not in [masks.digest(other) for other in others]
