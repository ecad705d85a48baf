"""The sparsity of each round."""
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmlth.core import round_sparsities
from mmlth.core.errors import UserError

SPARSITY = st.floats(0, 1, exclude_max=True)


@given(SPARSITY, st.integers(1, 30))
@example(8.823844362955463e-16, 16)     # rounding errors are as large
def test_every_round_removes_the_same_fraction_of_what_is_left(sparsity, rounds):
    found = round_sparsities(sparsity, rounds)
    assert len(found) == rounds + 1 and found[0] == 0
    assert found[-1] == sparsity        # exactly as given
    assert all(0 <= a <= b < 1 for a, b in zip(found, found[1:]))
    for r, value in enumerate(found):
        assert 1 - value == pytest.approx((1 - sparsity) ** (r / rounds), rel=1e-9, abs=1e-15)


def test_values():
    assert round_sparsities(0.8) == [0.0, 0.8]
    assert round_sparsities(0) == [0.0, 0.0]
    assert round_sparsities(0.75, 2) == [0.0, 0.5, 0.75]
    assert round_sparsities([0.5, 0.5, 0.9]) == round_sparsities((0.5, 0.5, 0.9), 3) == [
        0.0, 0.5, 0.5, 0.9]


@pytest.mark.parametrize('sparsity', [1, 1.0, -0.1, 80, float('nan'), '0.8', None, True])
@pytest.mark.parametrize('rounds', [1, 3])
def test_sparsity_out_of_range(sparsity, rounds):
    with pytest.raises(UserError, match=r'in \[0, 1\), got .*for 80 % write 0\.8'):
        round_sparsities(sparsity, rounds)


@pytest.mark.parametrize('rounds', [0, -1, 1.5, '2', None])
def test_rounds_out_of_range(rounds):
    with pytest.raises(UserError, match='at least 1, got'):
        round_sparsities(0.8, rounds)


@pytest.mark.parametrize('sparsity', [[0.5, 0.4], [0.5, 1.0], [-0.1, 0.5], [0.5, float('nan')]])
def test_lists_must_rise_within_range(sparsity):
    with pytest.raises(UserError, match=r'never fall, got \[|the fraction of weights'):
        round_sparsities(sparsity)


@pytest.mark.parametrize('sparsity, rounds', [([0.5, 0.8], 3), ([0.5, 0.8, 0.9], 2), ([], 1)])
def test_lists_must_be_as_long_as_there_are_rounds(sparsity, rounds):
    with pytest.raises(UserError, match=f'{len(sparsity)} sparsities do not fit rounds={rounds}'):
        round_sparsities(sparsity, rounds)


@pytest.mark.parametrize('sparsity', [['0.5', '0.8'], [0.5, None]])
def test_lists_must_hold_numbers(sparsity):
    with pytest.raises(UserError):
        round_sparsities(sparsity)
