"""Agreement of masks, and what chance gives."""
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmlth.core.similarity import chance_iou, group_iou, iou, pruned_iou


def random_mask(density, seed, n=200_000):
    generator = torch.Generator().manual_seed(seed)
    return {'head.weight': torch.rand(n, generator=generator) < density}


def test_by_hand():
    a = {'w': torch.tensor([1, 1, 0, 0]).bool()}
    b = {'w': torch.tensor([1, 0, 1, 0]).bool()}
    assert iou(a, b) == pytest.approx(1 / 3)
    assert iou(a, a) == 1.0
    assert chance_iou(a, b) == pytest.approx(0.5 / 1.5)
    none = {'w': torch.zeros(4).bool()}
    assert iou(none, none) == 1.0 and iou(a, none) == 0.0


@pytest.mark.parametrize('density', [0.05, 0.2, 0.5, 1.0])
def test_random_masks_reach_the_chance_level_and_no_more(density):
    """Defect 11: by Hamming distance, random masks at 95 % sparsity look alike."""
    a, b = random_mask(density, 0), random_mask(density, 1)
    assert chance_iou(a, b) == pytest.approx(density / (2 - density), abs=0.01)
    assert iou(a, b) == pytest.approx(chance_iou(a, b), abs=0.01)
    if density == 0.05:
        hamming = (a['head.weight'] != b['head.weight']).float().mean()
        assert hamming < 0.1 and iou(a, b) < 0.04


def test_groups():
    a = {'backbone.layer1.0.conv1.weight': torch.ones(4).bool(),
         'backbone.layer2.0.conv1.weight': torch.ones(4).bool(),
         'neck.conv.weight': torch.tensor([True, False])}
    b = {**a, 'neck.conv.weight': torch.tensor([False, True])}
    assert group_iou(a, b) == {'base': 1.0, 'neck': 0.0}


def test_the_papers_measure_by_hand():
    """80 % of 100 weights are pruned; 18 of 20 survivors are the same: 22 differ in one."""
    a, b = ({'w': torch.zeros(100).bool()} for _ in range(2))
    a['w'][:20] = True
    b['w'][2:22] = True
    assert iou(a, b) == pytest.approx(18 / 22) and iou(a, b, 'pruned') == pytest.approx(78 / 82)
    assert chance_iou(a, b) == pytest.approx(0.2 / 1.8)
    assert chance_iou(a, b, 'pruned') == pytest.approx(0.8 / 1.2)
    whole = {'w': torch.ones(4).bool()}
    assert iou(whole, whole, 'pruned') == chance_iou(whole, whole, 'pruned') == 1.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_the_pruned_are_the_survivors_of_the_opposite_masks(entries):
    a, b = ({'head.weight': torch.tensor(side)} for side in zip(*entries))
    opposite = [{n: ~m for n, m in mask.items()} for mask in (a, b)]
    for measure in (iou, chance_iou, group_iou):
        assert measure(a, b, 'pruned') == pytest.approx(measure(*opposite))
    densities = [float(mask['head.weight'].float().mean()) for mask in (a, b)]
    for measure in (iou, chance_iou):
        assert pruned_iou(measure(a, b), *densities) == pytest.approx(
            measure(a, b, 'pruned'), abs=1e-6)


def test_a_weight_out_of_the_scope_of_one_mask_survives_in_it():
    a = {'neck.w': torch.tensor([1, 1, 0, 0]).bool()}
    b = {**a, 'head.w': torch.tensor([1, 0, 0, 0, 0, 0]).bool()}
    full = {**a, 'head.w': torch.ones(6).bool()}
    for measure in (iou, chance_iou, group_iou):
        for of in ('survivors', 'pruned'):
            assert measure(a, b, of) == measure(full, b, of) != measure(b, b, of)
            assert measure(b, a, of) == measure(b, full, of)
