"""Categories: order, what is left out, which sparsities are shown."""
import pytest
from evaluated import evaluations, precision, write_run
from written import one

from mmlth.analysis.sections.categories import difficulty_sections, frequency_sections
from mmlth.core.errors import UserError

COUNTS = dict(car=100, person=900, toaster=2, drier=5, unseen=1)
DENSE = dict(car=0.2, person=0.5, toaster=0.6, drier=0.0, unseen=None)
AT_80 = dict(car=0.2, person=0.4, toaster=0.3, drier=0.1, unseen=None)
AT_90 = dict(car=0.3, person=0.35, toaster=0.0, drier=0.1, unseen=None)


def kinds(categories, **more):
    return dict(bbox=precision(0.3, categories=categories.items()), **more)


@pytest.fixture
def runs(tmp_path):
    return [write_run(tmp_path / str(s), kinds(DENSE), kinds(ticket), 0, s, COUNTS)
            for s, ticket in ((0.3, DENSE), (0.8, AT_80), (0.9, AT_90))]


def test_by_frequency(runs):
    section = one(frequency_sections, runs, evaluations(runs))
    figure, = section.figures
    at_80, at_90 = figure.series        # two of the three, the paper's
    assert (at_80.label, at_90.label) == ('80 % scope sparsity', '90 % scope sparsity')
    assert at_80.x == at_90.x == ['person', 'car', 'toaster']
    assert at_80.y == pytest.approx([-20, 0, -50]) and at_90.y == pytest.approx([-30, 50, -100])
    assert 'for the dense AP is 0: drier' in section.text
    assert 'Not in the evaluation data: unseen' in section.text
    assert 'most toaster (-100.0 %)' in section.text and section.paper == 'Fig. 5a'
    assert {r['category']: r['training_annotations'] for r in section.rows} == dict(
        person=900, car=100, toaster=2)


def test_by_difficulty(runs):
    section = one(difficulty_sections, runs, evaluations(runs))
    assert section.figures[0].series[0].x == ['toaster', 'person', 'car']
    # The easier the more it loses: the ranks are reversed.
    assert 'rank correlation of the change with the AP of the dense model -1.00' in section.text


def test_masks_have_a_figure_of_difficulty_and_none_of_frequency(tmp_path):
    both = kinds(DENSE, segm=precision(0.3, categories=DENSE.items()))
    runs = [write_run(tmp_path / 'a', both, both, counts=COUNTS)]
    assert len(one(difficulty_sections, runs, evaluations(runs)).figures) == 2
    assert len(one(frequency_sections, runs, evaluations(runs)).figures) == 1


def test_seeds_are_averaged(tmp_path):
    other = dict(DENSE, car=0.4)
    runs = [write_run(tmp_path / 'a', kinds(DENSE), kinds(AT_80), 0, counts=COUNTS),
            write_run(tmp_path / 'b', kinds(other), kinds(AT_80), 1, counts=COUNTS)]
    row = next(r for r in one(difficulty_sections, runs, evaluations(runs)).rows
               if r['category'] == 'car')
    assert row['dense'] == pytest.approx(30) and row['seeds'] == 2
    assert row['change'] == pytest.approx(100 * (0 - 0.2) / 2 / 0.3)


def test_without_the_training_data_only_difficulty_is_told(tmp_path):
    runs = [write_run(tmp_path / 'a', kinds(DENSE), kinds(AT_80))]
    with pytest.raises(UserError, match='training data are not there'):
        one(frequency_sections, runs, evaluations(runs))
    assert one(difficulty_sections, runs, evaluations(runs)).figures


def test_one_category_is_no_comparison(tmp_path):
    runs = [write_run(tmp_path / 'a', kinds(dict(person=0.5)), kinds(dict(person=0.4)))]
    with pytest.raises(UserError, match='no model with two categories'):
        one(difficulty_sections, runs, evaluations(runs))


def test_nobody_loses(tmp_path):
    better = {name: ap and ap + 0.1 for name, ap in DENSE.items()}
    runs = [write_run(tmp_path / 'a', kinds(DENSE), kinds(better), counts=COUNTS)]
    text = one(frequency_sections, runs, evaluations(runs)).text
    assert '0 of 3 categories lose; rank' in text and 'most ' not in text.split('lose')[1]
