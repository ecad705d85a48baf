"""Change of AP by object size, against values worked out by hand."""
import pytest
from evaluated import evaluations, precision, write_run
from written import one

from mmlth.analysis.measure.evaluate import Evaluations
from mmlth.analysis.sections.sizes import sizes_sections
from mmlth.core.errors import UserError


def boxes(small, medium, large):
    return dict(bbox=precision(0.3, dict(small=small, medium=medium, large=large).items()))


@pytest.fixture
def runs(tmp_path):
    """Two seeds at two sparsities."""
    dense = {0: boxes(0.10, 0.20, 0.40), 1: boxes(0.30, 0.20, 0.40)}     # small: mean 0.2
    tickets = {(0, 0.5): boxes(0.12, 0.20, 0.40), (1, 0.5): boxes(0.28, 0.20, 0.40),
               (0, 0.9): boxes(0.05, 0.19, 0.42), (1, 0.9): boxes(0.25, 0.19, 0.42)}
    return [write_run(tmp_path / f'{s}_{seed}', dense[seed], ticket, seed, s)
            for (seed, s), ticket in tickets.items()]


def test_change_in_percent_of_dense(runs):
    section = one(sizes_sections, runs, evaluations(runs))
    figure, = section.figures
    small, medium, large = figure.series
    assert [s.label for s in figure.series] == ['small', 'medium', 'large']
    assert small.x == pytest.approx([45, 81])       # network sparsity
    # Of its own seed: +0.02 and -0.02, then -0.05 and -0.05, of a mean of 0.2.
    assert small.y == pytest.approx([0, -25])
    assert small.error == pytest.approx([3 * 2**0.5 * 10, 0])
    assert medium.y == pytest.approx([0, -5]) and large.y == pytest.approx([0, 5])
    row = next(r for r in section.rows if r['size'] == 'small' and r['scope_sparsity'] == 90)
    assert (row['dense'], row['ticket'], row['seeds'], row['objects']) == (
        pytest.approx(20), pytest.approx(15), 2, 10)
    assert 'small -25.0 %, medium -5.0 %, large +5.0 %' in section.text
    assert section.paper == 'Fig. 4' and 'no small size' not in section.text


def test_one_seed_has_no_band(runs):
    figure, = one(sizes_sections, runs[:1], evaluations(runs[:1])).figures
    assert figure.series[0].error == [None] and figure.series[0].y == pytest.approx([20])


def test_kinds_have_their_own_figures_and_keypoints_no_small(tmp_path):
    kinds = dict(**boxes(0.1, 0.2, 0.4), segm=precision(0.3, [('small', 0.0), ('medium', 0.2)]),
                 keypoints=precision(0.5, [('medium', 0.2), ('large', 0.5)]))
    runs = [write_run(tmp_path / 'a', kinds, kinds)]
    section = one(sizes_sections, runs, evaluations(runs))
    labels = [[s.label for s in figure.series] for figure in section.figures]
    assert labels == [['small', 'medium', 'large'], ['medium'], ['medium', 'large']]
    assert 'Keypoints have no small size' in section.text
    # Where dense finds nothing there is no percentage.
    assert 'for the dense AP is 0: Mask R-CNN R18, COCO, segmentation, small' in section.text


def test_a_dense_training_that_was_cut_short_is_no_reference(tmp_path):
    runs = [write_run(tmp_path / 'a', boxes(0.1, 0.1, 0.1), boxes(0.1, 0.1, 0.1),
                      dense_iterations=10)]
    with pytest.raises(UserError, match='no drawn ticket was evaluated'):
        one(sizes_sections, runs, evaluations(runs))


def test_the_reason_is_passed_on(runs):
    found = Evaluations(say=print)
    found.problems['x'] = 'the data are not there'
    with pytest.raises(UserError, match='x: the data are not there'):
        one(sizes_sections, runs, found)
