"""The straight line between two networks."""
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmlth.core.errors import UserError
from mmlth.core.interpolate import interpolate

VALUES = st.lists(st.tuples(*[st.floats(-6e4, 6e4, width=16) | st.just(0.0)] * 2), min_size=1,
                  max_size=8)
ALPHAS = st.floats(0, 1)


def ends(values, dtype=torch.float32):
    return [dict(w=torch.tensor(side, dtype=dtype), n=torch.tensor(5 + i), extra=i)
            for i, side in enumerate(zip(*values))]


@given(VALUES, st.sampled_from([torch.float32, torch.float16, torch.float64]))
def test_the_ends_are_met_exactly(values, dtype):
    a, b = ends(values, dtype)
    assert torch.equal(interpolate(a, b, 0)['w'], a['w'])
    assert torch.equal(interpolate(a, b, 1)['w'], b['w'])
    assert interpolate(a, b, 1)['w'].dtype == dtype


@given(VALUES, ALPHAS)
def test_between_them(values, alpha):
    """Never beyond either, the same from both sides, and the support is that of the two."""
    a, b = ends(values)
    found = interpolate(a, b, alpha)
    low, high = torch.minimum(a['w'], b['w']), torch.maximum(a['w'], b['w'])
    assert ((low <= found['w']) & (found['w'] <= high)).all()
    expected = (1 - alpha) * a['w'].double() + alpha * b['w'].double()
    assert torch.allclose(found['w'].double(), expected, rtol=1e-6, atol=1e-12)
    assert not found['w'][(a['w'] == 0) & (b['w'] == 0)].any()
    assert torch.allclose(found['w'], interpolate(b, a, 1 - alpha)['w'], rtol=1e-5, atol=1e-2)
    assert found['n'] == 5 and found['extra'] == 0


@given(VALUES, ALPHAS)
def test_nothing_is_changed(values, alpha):
    a, b = ends(values)
    before = a['w'].clone(), b['w'].clone()
    found = interpolate(a, b, alpha)['w']
    found += 1
    assert torch.equal(a['w'], before[0]) and torch.equal(b['w'], before[1])


@pytest.mark.parametrize('b, message', [
    (dict(w=torch.ones(2)), 'to x: only one has v, and 0 more'),
    (dict(w=torch.ones(3), v=torch.ones(1)), r'w has shape \(2,\) and \(3,\)')])
def test_other_models_are_refused(b, message):
    with pytest.raises(UserError, match=message):
        interpolate(dict(w=torch.ones(2), v=torch.ones(1)), b, 0.5, 'x')
