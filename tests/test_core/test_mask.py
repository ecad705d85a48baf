"""Masks: applying, counting, packing, digests."""
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmlth.core import mask as masks
from mmlth.core.errors import UserError

shaped_masks = st.lists(st.integers(0, 5), max_size=3).flatmap(
    lambda shape: st.lists(st.booleans(), min_size=int(np.prod(shape)),
                           max_size=int(np.prod(shape))).map(
        lambda bits: torch.tensor(bits, dtype=torch.bool).view(shape)))


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


@given(shaped_masks)
def test_packing_is_one_bit_a_weight_and_can_be_undone(keep):
    bits = masks.pack(keep)
    assert bits.dtype == torch.uint8 and bits.shape == ((keep.numel() + 7) // 8,)
    back = masks.unpack(bits, keep.shape)
    assert back.dtype == torch.bool and torch.equal(back, keep)


@given(shaped_masks)
def test_deflating_can_be_undone(keep):
    bits = masks.pack(keep)
    deflated = masks.deflate(bits)
    assert deflated.dtype == torch.uint8 and deflated.dim() == 1
    assert torch.equal(masks.inflate(deflated, keep.shape), bits)


def test_what_deflate_does_not_make_is_refused():
    deflated = masks.deflate(torch.zeros(1000, dtype=torch.uint8))
    assert len(deflated) < 30 and len(masks.inflate(deflated, (8000,))) == 1000
    for shape in ((8001,), (7992,), (0,), (2**40,), (3, 2**62), (2**70,)):
        with pytest.raises(ValueError, match='does not fit the shape'):
            masks.inflate(deflated, shape)
    for wrong in (deflated[:-1], torch.cat([deflated, deflated])):
        with pytest.raises(ValueError, match='does not fit the shape'):
            masks.inflate(wrong, (8000,))
    for wrong in (torch.zeros(9, dtype=torch.uint8), torch.zeros(3, dtype=torch.bfloat16)):
        with pytest.raises(ValueError, match='malformed'):
            masks.inflate(wrong, (8000,))


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
