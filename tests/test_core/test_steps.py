"""Points of a training, given as iterations, epochs or a percentage."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlth.core.errors import UserError
from mmlth.core.steps import rewind_iteration


@pytest.mark.parametrize('to, iteration', [
    ('600it', 600), (600, 600), ('0it', 0), (0, 0), ('1000it', 1000), (' 5it ', 5),
    ('1ep', 100), ('2.0ep', 200), ('10ep', 1000), ('0ep', 0),
    ('5%', 50), ('0%', 0), ('100%', 1000), ('0.26%', 3), ('0.04%', 0)])
def test_forms(to, iteration):
    found = rewind_iteration(to, max_iters=1000, iters_per_epoch=100)
    assert found == iteration and type(found) is int


@pytest.mark.parametrize('to', ['600', '', 'it', '-1it', -1, '1e3it', '5 %', '2epochs', '2ep3it',
                                None, 0.5, 600.0, True, [600], 'nan%', '1it\nx'])
def test_other_forms_are_refused(to):
    with pytest.raises(UserError, match="expected '600it', '2ep' or '5%', got "):
        rewind_iteration(to, 1000, 100)


@pytest.mark.parametrize('to', ['1.5it', '0.5ep'])
def test_fractions_only_of_the_whole_training(to):
    with pytest.raises(UserError, match=f"'{to}' is not a whole number"):
        rewind_iteration(to, 1000, 100)


@pytest.mark.parametrize('to, iteration', [('1001it', 1001), (1001, 1001), ('11ep', 1100),
                                           ('101%', 1010)])
def test_after_the_end_is_refused(to, iteration):
    with pytest.raises(UserError, match=f'is iteration {iteration}, but the training ends '
                                        'after 1000'):
        rewind_iteration(to, 1000, 100)


@given(st.integers(1, 10**7), st.integers(1, 10**5), st.floats(0, 100))
def test_a_percentage_lies_within_the_training(max_iters, iters_per_epoch, percent):
    iteration = rewind_iteration(f'{percent:f}%', max_iters, iters_per_epoch)
    assert 0 <= iteration <= max_iters
    assert abs(iteration - percent / 100 * max_iters) <= 0.51 + 1e-8 * max_iters
