"""The floor of surviving weights."""
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlth.core import draw
from mmlth.core.errors import UserError
from mmlth.core.mask import emptied


def weights(seed=0):
    """Three layers of very different scale, as heads and backbones of detectors are."""
    generator = torch.Generator().manual_seed(seed)
    return {'backbone.weight': torch.randn(40, 30, generator=generator),
            'head.weight': torch.randn(7, 11, generator=generator),
            'reg.weight': 1e-3 * torch.randn(4, 25, generator=generator)}


def test_without_a_floor_small_layers_are_emptied():
    assert emptied(draw(weights(), 0.8)) == ['reg.weight']


@settings(deadline=None, max_examples=40)
@given(sparsity=st.floats(0, 0.95), part=st.floats(0, 1), seed=st.integers(0, 50),
       allocation=st.sampled_from(['global', 'layerwise']))
def test_the_floor_holds_and_the_total_is_exact(sparsity, part, seed, allocation):
    floor = part * (1 - sparsity) * 0.98
    layers = weights(seed)
    mask = draw(layers, sparsity, allocation=allocation, floor=floor)
    total = sum(w.numel() for w in layers.values())
    pruned = sum(int((~m).sum()) for m in mask.values())
    if allocation == 'global':
        assert pruned == round(sparsity * total)
    for name, keep in mask.items():
        assert int(keep.sum()) >= (max(1, int(floor * keep.numel())) if floor else 0)
        kept, gone = layers[name].abs()[keep], layers[name].abs()[~keep]
        assert not len(kept) or not len(gone) or kept.min() >= gone.max()


def test_the_other_layers_are_pruned_as_one():
    """Beyond the floor a single threshold holds."""
    layers = weights()
    mask = draw(layers, 0.8, floor=0.05)
    above = [n for n in mask if int(mask[n].sum()) > int(0.05 * mask[n].numel())]
    assert above == ['backbone.weight', 'head.weight']
    threshold = min(float(layers[n].abs()[mask[n]].min()) for n in above)
    assert all(float(layers[n].abs()[~mask[n]].max()) <= threshold for n in above)


def test_the_floor_does_not_bring_pruned_weights_back():
    layers = weights()
    first = draw(layers, 0.5, floor=0.2)
    second = draw(weights(1), 0.75, floor=0.2, earlier=first)
    assert not any((second[n] & ~first[n]).any() for n in first)
    assert int(second['reg.weight'].sum()) >= 20


def test_many_small_layers_may_need_more_than_there_is():
    layers = {f'l{i}.weight': torch.randn(2, 2) for i in range(10)}
    with pytest.raises(UserError, match='keeps 10 weights of 10 layers, but only 4 may'):
        draw(layers, 0.9, floor=0.1)


@pytest.mark.parametrize('floor', [-0.1, 0.3, 1.0])
def test_a_floor_that_leaves_too_little_is_refused(floor):
    with pytest.raises(UserError, match='floor must be'):
        draw(weights(), 0.8, floor=floor)
