"""Max pooling and RoIAlign against PyTorch's and mmcv's."""
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_ops import FEW, LAYOUTS, kernels  # noqa: F401 (each instruction set, by itself)
from torch import nn

from mmlth.sparse import ops
from mmlth.sparse.others import FastMaxPool2d, FastRoIAlign, other_form

pytestmark = pytest.mark.skipif(ops.unavailable() is not None, reason=str(ops.unavailable()))
pair = st.tuples(st.integers(1, 5), st.integers(1, 5))


@FEW
@given(pair, st.tuples(st.integers(1, 4), st.integers(1, 4)), st.data(),
       st.tuples(st.integers(1, 2), st.integers(1, 2)), st.booleans(),
       st.tuples(st.integers(0, 2), st.integers(1, 45), st.integers(1, 45)),
       st.sampled_from(sorted(LAYOUTS)))
def test_max_pooling(kernel, stride, data, dilation, ceil, shape, layout):
    """NaN and infinities too."""
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    pool = nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil)
    x = torch.randn(shape[0], 3, *shape[1:])
    x[torch.rand_like(x) < 0.05] = float('nan')
    x[torch.rand_like(x) < 0.1] = -float('inf')
    x = LAYOUTS[layout](x)
    fast = other_form(pool)
    assert isinstance(fast, FastMaxPool2d)
    try:
        expected = pool(x)
    except RuntimeError:        # the window does not fit
        with pytest.raises(RuntimeError):
            fast(x)
        return
    found = fast(x)
    assert found.shape == expected.shape and found.is_contiguous()
    assert torch.equal(found.isnan(), expected.isnan())
    assert torch.equal(found.nan_to_num(0), expected.nan_to_num(0))
    if shape[0]:
        assert torch.equal(fast(x[0]).nan_to_num(0), found[0].nan_to_num(0))


@FEW
@given(st.integers(1, 20), st.integers(0, 6), pair, st.integers(0, 3), st.booleans(),
       st.sampled_from([1., 0.25, 0.1]), st.sampled_from(sorted(LAYOUTS)))
def test_regions(channels, regions, bins, samples, aligned, scale, layout):
    """In float64 mmcv says what is right; boxes reach over the edges, or lie outside."""
    align = pytest.importorskip('mmcv.ops').RoIAlign(bins, scale, samples, 'avg', aligned)
    x = LAYOUTS[layout](torch.randn(2, channels, 13, 18))
    corner = torch.rand(regions, 2) * 30 / scale - 8 / scale
    size = torch.rand(regions, 2) * 20 / scale
    rois = torch.cat([torch.randint(0, 2, (regions, 1)).float(), corner, corner + size], 1)
    fast = other_form(align)
    assert isinstance(fast, FastRoIAlign)
    same = x.contiguous()       # mmcv takes it to be so
    expected, found = align(same.double(), rois.double()), fast(x, rois)
    assert found.shape == expected.shape and found.dtype == torch.float32
    if expected.numel():
        # A box on the border between two numbers of samples may fall to either side.
        near = (found.double() - expected).abs().flatten(1).amax(1) <= 1e-4
        as_float = (found - align(same, rois)).abs().flatten(1).amax(1) <= 1e-4
        assert bool((near | as_float).all())


def test_what_has_no_faster_form():
    align = pytest.importorskip('mmcv.ops').RoIAlign
    assert other_form(nn.MaxPool2d(2, return_indices=True)) is None
    assert other_form(align(7, pool_mode='max')) is None
    assert other_form(align(65)) is None
    hooked = nn.MaxPool2d(2)
    hooked.register_forward_hook(lambda *args: None)
    assert other_form(hooked) is None


def test_a_region_of_no_map_is_refused():
    with pytest.raises(RuntimeError, match='region 1 is of map 2'):
        torch.ops.mmlth.roi_align(torch.ones(2, 3, 4, 4), torch.tensor(
            [[0., 0, 0, 2, 2], [2., 0, 0, 2, 2]]), [2, 2], 1., 0, True)


def test_torch_compile_knows_the_shapes():
    from torch._subclasses.fake_tensor import FakeTensorMode
    pool = FastMaxPool2d(nn.MaxPool2d(3, 2, 1, ceil_mode=True))
    with FakeTensorMode():
        x, rois = torch.empty(2, 5, 14, 16), torch.empty(7, 5)
        assert pool(x).shape == (2, 5, 8, 9)
        assert torch.ops.mmlth.roi_align(x, rois, [3, 4], 1., 0, True).shape == (7, 5, 3, 4)
    assert pool(torch.ones(2, 5, 14, 16)).shape == (2, 5, 8, 9)
