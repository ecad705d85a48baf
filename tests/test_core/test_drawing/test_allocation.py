"""The floor of surviving weights, ERK and N:M patterns."""
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlth.core import Drawing, Layer, Scores, draw
from mmlth.core.drawing.allocations import find_allocation
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


@settings(max_examples=40)
@given(sparsity=st.floats(0, 0.95), part=st.floats(0, 1), seed=st.integers(0, 50),
       allocation=st.sampled_from(['global', 'layerwise', 'erk']))
def test_the_floor_holds_and_the_total_is_exact(sparsity, part, seed, allocation):
    floor = part * (1 - sparsity) * 0.98
    layers = weights(seed)
    mask = draw(layers, sparsity, allocation=allocation, floor=floor)
    total = sum(w.numel() for w in layers.values())
    pruned = sum(int((~m).sum()) for m in mask.values())
    if allocation != 'layerwise':
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


@pytest.mark.parametrize('allocation', ['global', 'layerwise', 'erk'])
def test_the_floor_does_not_bring_pruned_weights_back(allocation):
    layers = weights()
    first = draw(layers, 0.5, floor=0.2, allocation=allocation)
    second = draw(weights(1), 0.75, floor=0.2, earlier=first, allocation=allocation)
    assert not any((second[n] & ~first[n]).any() for n in first)
    assert int(second['reg.weight'].sum()) >= 20


def test_many_small_layers_may_need_more_than_there_is():
    layers = {f'l{i}.weight': torch.randn(2, 2) for i in range(10)}
    for allocation in ('global', 'erk'):
        with pytest.raises(UserError, match='keeps 10 weights of 10 layers, but only 4 may'):
            draw(layers, 0.9, floor=0.1, allocation=allocation)


@settings(max_examples=150)
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=6), part=st.floats(0.01, 1),
       sparsity=st.sampled_from([0.1, 0.5, 0.7, 0.8, 0.9, 0.99]), drawn=st.booleans(),
       allocation=st.sampled_from(['global', 'layerwise', 'erk']))
def test_tiny_layers_keep_their_floor_or_the_sum_is_refused(sizes, part, sparsity, drawn,
                                                            allocation):
    """Of a layer of 4 weights, 80 % are 3, 90 % all 4: the floor's one weight stays."""
    layers = {f'l{i}': torch.randn(1, n) for i, n in enumerate(sizes)}
    floor = part * (1 - sparsity)
    least = [max(1, int(floor * n)) if n else 0 for n in sizes]
    survivors = sum(sizes) - round(sparsity * sum(sizes))
    if allocation != 'layerwise' and sum(least) > survivors:
        with pytest.raises(UserError, match='lower the floor'):
            Drawing(allocation=allocation, floor=floor).check_room(layers, sparsity, {})
        with pytest.raises(UserError, match='lower the floor'):
            draw(layers, sparsity, allocation=allocation, floor=floor)
        return
    Drawing(allocation=allocation, floor=floor).check_room(layers, sparsity, {})
    earlier = draw(layers, sparsity / 2, allocation=allocation, floor=floor) if drawn else None
    mask = draw(layers, sparsity, allocation=allocation, floor=floor, earlier=earlier)
    kept = [int(keep.sum()) for keep in mask.values()]
    assert all(map(int.__ge__, kept, least))
    if allocation == 'layerwise':
        assert kept == [max(n - round(sparsity * n), low) for n, low in zip(sizes, least)]
    else:
        assert sum(kept) == survivors


@pytest.mark.parametrize('floor', [-0.1, 0.3, 1.0, '0.1', None, False, float('nan')])
def test_a_floor_that_leaves_too_little_or_is_no_number_is_refused(floor):
    with pytest.raises(UserError, match='floor must be'):
        draw(weights(), 0.8, floor=floor)


def erk(shapes, sparsity, **kwargs):
    """Survivors per layer of that shape."""
    generator = torch.Generator().manual_seed(0)
    layers = {str(i): torch.randn(shape, generator=generator) for i, shape in enumerate(shapes)}
    mask = draw(layers, sparsity, allocation='erk', **kwargs)
    return [int(keep.sum()) for keep in mask.values()]


def test_erk_by_hand():
    # Dimensions sum to 10 + 20 = 30 and 8 + 6 + 3 + 3 = 20, the weights are 200 + 432 = 632;
    # 632 - round(0.9 * 632) = 63 survive: 30/50 and 20/50 of 63 are 37.8 and 25.2.
    assert erk([(10, 20), (8, 6, 3, 3)], 0.9) == [38, 25]
    # 1-D: the sum is the product. 4 + 4 * 40 = 164 weights, 82 survive: the norm would take
    # 82 * 4/48 = 6.8 of its 4 and takes 4.
    assert erk([(4,), (4, 40)], 0.5) == [4, 78]


def test_erk_hands_on_what_full_layers_cannot_take():
    # Sums 5, 26, 55 and an empty layer; 300 of 766 survive. By the sums the first would get
    # 300 * 5/86 = 17.4 and holds 6; the other 294 go 26 : 55, so 94.4 and 199.6.
    assert erk([(2, 3), (10, 16), (40, 15), (0, 10)], 1 - 300 / 766) == [6, 94, 200, 0]
    # Of 550 survivors the second would then get 544 * 26/81 = 174.6 and holds 160.
    assert erk([(2, 3), (10, 16), (40, 15), (0, 10)], 1 - 550 / 766) == [6, 160, 384, 0]
    # A floor of a half takes from the others: 80 of 160, 300 of 600.
    assert erk([(2, 3), (10, 16), (40, 15)], 1 - 386 / 766, floor=0.5) == [6, 80, 300]


@settings(max_examples=60)
@given(shapes=st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=4), min_size=1,
                       max_size=5), sparsity=st.floats(0, 1, exclude_max=True))
def test_erk_densities_are_in_proportion_up_to_rounding(shapes, sparsity):
    survivors = erk(shapes, sparsity)
    sizes = [int(torch.Size(shape).numel()) for shape in shapes]
    assert sum(sizes) - sum(survivors) == round(sparsity * sum(sizes))
    shares = [kept / sum(shape) for kept, shape, size in zip(survivors, shapes, sizes)
              if kept < size]
    # Within one weight of the common level; full layers have no more than their share.
    slack = [1 / sum(shape) for kept, shape, size in zip(survivors, shapes, sizes) if kept < size]
    for share, own in zip(shares, slack):
        assert share - own < min((s + o for s, o in zip(shares, slack)), default=0)
        for kept, shape, size in zip(survivors, shapes, sizes):
            if kept == size and size:
                assert (size - 1) / sum(shape) < share + own


@settings(max_examples=40)
@given(first=st.floats(0.05, 0.6), second=st.floats(0.6, 0.98), seed=st.integers(0, 20))
def test_erk_never_gives_a_layer_more_than_it_has_left(first, second, seed):
    earlier = draw(weights(seed), first)        # global: nearly nothing is left of reg
    mask = draw(weights(seed + 1), second, allocation='erk', earlier=earlier)
    assert not any((mask[n] & ~earlier[n]).any() for n in mask)
    total = sum(m.numel() for m in mask.values())
    assert sum(int((~m).sum()) for m in mask.values()) == round(second * total)


def test_erk_is_refused_where_less_is_left_than_it_needs():
    earlier = {'a': torch.arange(40) >= 30, 'b': torch.ones(10, 2, dtype=torch.bool)}
    layers = {'a': torch.randn(40), 'b': torch.randn(10, 2)}
    with pytest.raises(UserError, match='sparsity 0.1 .* a: masks can only shrink'):
        draw(layers, 0.1, allocation='erk', earlier=earlier)


def rows(*values):
    return torch.tensor(values, dtype=torch.float32)


def test_two_of_four_by_hand():
    mask = draw({'fc.weight': rows([1, -4, 3, 2, 9, 8, 7, -6], [1, 1, 1, 1, 0, 0, 5, 0])}, 0.5,
                allocation='2:4')['fc.weight']
    assert mask.int().tolist() == [[0, 1, 1, 0, 1, 1, 0, 0],
                                   [0, 0, 1, 1, 0, 0, 1, 1]]    # of equal ones the last


def test_groups_run_over_input_channels_at_each_place_of_the_kernel():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 8, 2, 5, generator=generator)
    mask = draw({'w': weight}, 0.75, allocation='1:4')['w']
    assert mask.shape == weight.shape and mask.is_contiguous() and mask.dtype == torch.bool
    for start in (0, 4):
        group, kept = weight[:, start:start + 4].abs(), mask[:, start:start + 4]
        assert torch.equal(kept.sum(1), torch.ones(3, 2, 5, dtype=torch.int64))
        assert torch.equal((group * kept).sum(1), group.amax(1))
    strided = draw({'w': weight.to(memory_format=torch.channels_last)}, 0.75, allocation='1:4')
    assert torch.equal(strided['w'], mask) and strided['w'].is_contiguous()


def test_transposed_convolutions_have_their_inputs_first():
    weight = torch.randn(8, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    mask = draw({'up': weight}, 0.5, allocation='2:4', layers={'up': Layer(transposed=True)})['up']
    turned = draw({'up': weight.transpose(0, 1).contiguous()}, 0.5, allocation='2:4')['up']
    assert torch.equal(mask, turned.transpose(0, 1)) and int(mask.sum()) == 48
    earlier = {'up': torch.ones_like(mask)}     # the layout survives Scores.below
    again = draw({'up': weight}, 0.5, allocation='2:4', layers={'up': Layer(transposed=True)},
                 earlier=earlier)
    assert torch.equal(again['up'], mask)


def test_layers_without_whole_groups_stay_whole_and_are_named():
    layers = {'stem': torch.randn(8, 3, 7, 7), 'conv': torch.randn(6, 8, 3, 3),
              'depthwise': torch.randn(8, 1, 3, 3), 'up': torch.randn(6, 8, 2, 2),
              'norm': torch.randn(8), 'none': torch.randn(0, 4), 'neither': torch.randn(4, 0)}
    mask = draw(layers, 0.5, allocation='2:4', layers={'up': Layer(transposed=True)})
    whole = ['stem', 'depthwise', 'up', 'norm']
    said = '4 layer(s) stay whole, their input channels are no multiple of the pattern 2:4: '
    remark = find_allocation('2:4').remark
    assert remark(mask, {'up': Layer(transposed=True)}) == said + 'stem, depthwise, up, norm'
    assert remark(mask, {}).endswith('2:4: stem, depthwise, norm')
    assert remark({'conv': mask['conv']}, {}) == ''
    assert find_allocation('global').remark is find_allocation('erk').remark is None
    assert all(mask[n].all() for n in whole)
    assert int(mask['conv'].sum()) == mask['conv'].numel() // 2
    assert {n: m.shape for n, m in mask.items()} == {n: t.shape for n, t in layers.items()}


@settings(max_examples=60)
@given(data=st.data(), size=st.integers(2, 6), groups=st.integers(0, 3), ties=st.booleans(),
       shape=st.lists(st.integers(1, 3), min_size=1, max_size=3), first=st.booleans())
def test_each_group_is_pruned_as_a_layer_of_its_own(data, size, groups, ties, shape, first):
    kept = data.draw(st.integers(1, size - 1))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32 - 1)))
    dim = 0 if first else 1
    weight = torch.randn([*shape[:dim], groups * size, *shape[dim:]] if dim else
                         [groups * size, *shape], generator=generator)
    weight = weight.round() if ties else weight
    mask = draw({'w': weight}, 1 - kept / size, allocation=f'{kept}:{size}',
                layers={'w': Layer(first)})['w']
    columns = zip(weight.movedim(dim, -1).reshape(-1, size),
                  mask.movedim(dim, -1).reshape(-1, size))
    for values, keep in columns:
        expected = find_allocation('global')(
            Scores({'g': values}, absolute=True), (size - kept) / size, 0.0)['g']
        assert torch.equal(keep, expected)


def test_a_pattern_leaves_pruned_what_is_pruned():
    weight = rows([4, 3, 2, 1, 1, 2, 3, 4])
    earlier = {'w': torch.tensor([[False, False, False, True] + 4 * [True]]),
               'odd': torch.tensor([[True, False, True]])}
    mask = draw({'w': weight, 'odd': rows([1, 2, 3])}, 0.5, allocation='2:4', earlier=earlier)
    assert mask['w'].int().tolist() == [[0, 0, 0, 1, 0, 0, 1, 1]]
    assert torch.equal(mask['odd'], earlier['odd'])


@pytest.mark.parametrize('sparsity, iterations, message', [
    (0.8, 1, r"'2:4' fixes the sparsity .* write sparsity=0\.5 and rounds=1, got sparsity=0\.8"),
    (0.5 + 1e-8, 1, 'write sparsity=0.5'),
    (0.5, 2, "'2:4' is drawn in one step: write iterations=1, got 2"),
])
def test_a_pattern_fixes_the_other_settings(sparsity, iterations, message):
    Drawing(allocation='2:4', iterations=1).check(0.5)
    Drawing(allocation='1:3').check(0.6666666667)
    with pytest.raises(UserError, match=message):
        Drawing(allocation='2:4', iterations=iterations).check(sparsity)


@pytest.mark.parametrize('name', ['4:4', '4:2', '0:4', '2:', ':4', '2:4:8', '-2:4', ' 2:4', '2.0:4',
                                  '', None, 2, ['global'], 'Global'])
def test_what_is_no_allocation_is_refused_with_those_there_are(name):
    with pytest.raises(UserError, match='unknown allocation .* global, '
                                        'layerwise, erk, compute, or N:M'):
        find_allocation(name)
