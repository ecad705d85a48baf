"""The paper's rule, the test beside it, and the sentences made of both."""
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from written import MAP, one, write_lottery

from mmlth.analysis.compare.families import main_cells
from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.compare.statistics import compare, spread
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.verdict import verdict_sections
from mmlth.core.errors import UserError

_AP = st.integers(0, 100_000).map(lambda n: n / 1000)


def samples(low, high=8):
    return st.lists(_AP, min_size=low, max_size=high)


def by_seed(values, first=0):
    return {first + i: v for i, v in enumerate(values)}


@given(samples(2))
def test_spread_is_mean_and_sample_deviation(values):
    found = spread(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.std == pytest.approx(np.std(values, ddof=1), abs=1e-9)


@given(samples(3), st.data())
def test_shared_seeds_are_paired(dense, data):
    ticket = data.draw(st.lists(_AP, min_size=len(dense), max_size=len(dense)))
    deltas = np.subtract(ticket, dense)
    assume(np.ptp(deltas) > 1e-3)
    found = compare(by_seed(dense), by_seed(ticket))
    # One sample of differences, by its textbook formula.
    error = np.std(deltas, ddof=1) / math.sqrt(len(deltas))
    half = stats.t.ppf(0.975, len(deltas) - 1) * error
    assert found.paired and found.n == len(dense)
    assert found.difference == pytest.approx(np.mean(deltas), abs=1e-9)
    assert found.interval == pytest.approx((np.mean(deltas) - half, np.mean(deltas) + half))
    assert found.p == pytest.approx(stats.ttest_1samp(deltas, 0).pvalue, abs=1e-9)


@given(samples(2), samples(2))
def test_other_seeds_are_compared_by_welch(dense, ticket):
    assume(np.ptp(dense) > 1e-3 or np.ptp(ticket) > 1e-3)
    found = compare(by_seed(dense), by_seed(ticket, first=100))
    a, b = (np.var(v, ddof=1) / len(v) for v in (dense, ticket))
    freedom = (a + b) ** 2 / (a ** 2 / (len(dense) - 1) + b ** 2 / (len(ticket) - 1))
    difference = np.mean(ticket) - np.mean(dense)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(a + b)
    assert not found.paired
    assert found.interval == pytest.approx((difference - half, difference + half), abs=1e-6)
    assert found.p == pytest.approx(
        2 * stats.t.sf(abs(difference) / math.sqrt(a + b), freedom), abs=1e-9)


@given(samples(2), samples(2), st.booleans(), st.sampled_from([-7.5, 2.25]))
def test_direction_and_level_do_not_matter(dense, ticket, shared, shift):
    first, second = by_seed(dense), by_seed(ticket, 0 if shared else 100)
    one, back = compare(first, second), compare(second, first)
    assert back.difference == pytest.approx(-one.difference, abs=1e-9)
    assert (one.interval is None) == (back.interval is None)
    moved = compare({k: v + shift for k, v in first.items()},
                    {k: v + shift for k, v in second.items()})
    assert moved.difference == pytest.approx(one.difference, abs=1e-9)
    if one.interval is not None and one.std > 1e-3:
        assert back.interval == pytest.approx((-one.interval[1], -one.interval[0]), abs=1e-6)
        assert back.p == pytest.approx(one.p, abs=1e-9)
        assert moved.p == pytest.approx(one.p, abs=1e-6)


@given(samples(2), samples(2))
def test_the_papers_rule(dense, ticket):
    """Over the seeds that both have."""
    found = compare(by_seed(dense), by_seed(ticket))
    both = min(len(dense), len(ticket))
    dense, ticket = dense[:both], ticket[:both]
    limit = np.mean(dense) - np.std(dense, ddof=1)
    assume(abs(np.mean(ticket) - limit) > 1e-9)
    assert found.winning == (np.mean(ticket) > limit)


def test_interval_and_p_agree():
    """95 % interval without 0 means p below 0.05, both ways."""
    clear = compare(by_seed([70, 71, 72]), by_seed([60, 61.5, 61.7]))
    assert clear.p < 0.05 and clear.interval[1] < 0 and clear.winning is False
    unclear = compare(by_seed([70, 71, 72]), by_seed([70.5, 70.2, 72.4]))
    assert unclear.p > 0.05 and unclear.interval[0] < 0 < unclear.interval[1]
    assert unclear.winning is True


def test_unequal_seeds_are_paired_where_they_are_shared():
    dense, ticket = {0: 70.0, 1: 71.0, 2: 72.0, 3: 80.0}, {1: 70.0, 2: 71.5, 9: 10.0}
    found = compare(dense, ticket)
    assert found.paired and found.n == 2 and found.difference == pytest.approx(-0.75)
    # Means, deviations and the paper's rule are over the same seeds, so that all numbers agree.
    assert found.dense == spread([71, 72]) and found.ticket == spread([70, 71.5])
    assert found.winning is False and compare(dense, {1: 70.5, 2: 71.5, 9: 10.0}).winning


def test_a_ticket_of_one_seed_is_compared_with_the_dense_model_of_that_seed():
    found = compare({0: 70.0, 1: 72.0, 2: 74.0}, {0: 69.0})
    assert found.difference == -1 and found.dense.mean == 70 and found.winning is None
    assert compare({0: 70.0, 1: 72.0}, {5: 69.0}).difference == -2      # none of that seed


@pytest.mark.parametrize('dense, ticket', [
    ({0: 70.0}, {0: 69.0}), ({0: 70.0, 1: 71.0}, {0: 69.0}), ({0: 70.0}, {0: 69.0, 1: 70.0})])
def test_one_seed_gives_no_verdict(dense, ticket):
    found = compare(dense, ticket)
    assert found.winning is None and found.interval is None and found.p is None
    assert found.difference < 0


def test_without_spread_there_is_no_test():
    same = compare({0: 70.0, 1: 71.0}, {0: 69.5, 1: 70.5})
    assert same.difference == -0.5 and same.interval is None and same.p is None
    assert same.winning is True         # 70.0 against 70.5 - 0.71
    constant = compare({0: 0.0, 1: 0.0}, {2: 0.0, 3: 0.0})
    assert constant.interval is None and constant.winning is True


def test_nothing_to_compare():
    assert compare({}, {0: 1.0}) is None and compare({0: 1.0}, {}) is None


def write(folder, aps, **config):
    for seed, (dense, ticket) in enumerate(aps):
        write_lottery(folder / f'{len(list(folder.glob("*")))}', {MAP: dense}, {MAP: ticket},
                      seed=seed, **config)


def test_a_figure_of_all_settings(tmp_path):
    """Coloured by method; settings that nothing in a name tells apart have bars of their own."""
    runs = tmp_path / 'runs'
    runs.mkdir()
    write(runs, [(.70, .71), (.72, .72)], sparsity=0.8)
    write(runs, [(.70, .61), (.72, .62)], sparsity=0.9, scope=0.9, network=0.8)
    write(runs, [(.70, .65), (.72, .66)], sparsity=0.8, allocation='layerwise')
    for folder in ('a', 'b'):       # two sources that are called the same
        write(runs, [(.70, .69), (.72, .70)], transfer=dict(source=f'{folder}/final.pth'))
    figure, = one(verdict_sections, find_runs([tmp_path]).runs).figures
    assert {s.label: s.x for s in figure.series} == {
        'direct': ['direct, 80 %', 'direct, 90 %'], 'layerwise': ['layerwise, 80 %'],
        'ticket of final': ['ticket of final, 80 %', 'ticket of final, 80 % (2)']}
    direct = figure.series[0]
    assert direct.y == pytest.approx([0.5, -9.5])
    assert direct.error == pytest.approx([math.sqrt(.5), math.sqrt(.5)])
    dense, = figure.references
    assert dense.y == 0 and dense.error == pytest.approx(math.sqrt(2))


def test_rows_of_tickets_and_controls(tmp_path):
    runs = tmp_path / 'runs'
    runs.mkdir()
    write(runs, [(.70, .705), (.71, .712), (.72, .73)], sparsity=0.8)
    write(runs, [(.70, .60), (.71, .62), (.72, .61)], sparsity=0.9, scope=0.9, network=0.8)
    write(runs, [(.70, .50), (.71, .52), (.72, .51)], control='random_mask')
    section = one(verdict_sections, find_runs([tmp_path]).runs)
    assert [(r['method'], r['verdict'], r['rule']) for r in section.rows] == [
        ('direct', 'no difference shown', 'yes'), ('direct', 'worse', 'no'),
        ('control: random mask', 'worse', 'no')]
    assert section.rows[0]['difference'] == pytest.approx(0.567, abs=1e-3)     # in points
    assert section.rows[0]['test'] == 'paired' and section.rows[0]['n'] == 3
    assert section.text.startswith(
        'By the corrected test against the dense model, of 2 tickets with several seeds 0 shown to '
        'be better, 1 to be worse, 1 neither; of 1 control with several seeds 0 shown to be '
        "better, 1 to be worse, 0 neither. The paper's rule, which asks for no proof, 1 of the "
        'tickets meet and 0 of the controls. The '
        'sparsest direct ticket that meets it and is not shown to be worse: 70.0 %')


def test_one_seed_is_said(tmp_path):
    write_lottery(tmp_path / 'a', {MAP: 0.7}, {MAP: 0.7})
    section = one(verdict_sections, find_runs([tmp_path / 'a']).runs)
    assert section.rows[0]['verdict'] == 'no verdict (one seed)'
    assert section.text.startswith('No verdict is possible')


@pytest.mark.parametrize('dense, ticket', [({}, {MAP: 0.5}), ({MAP: 0.5}, {}),
                                           ({MAP: float('nan')}, {MAP: 0.5})])
def test_a_missing_metric_is_no_crash(tmp_path, dense, ticket):
    write_lottery(tmp_path / 'a', dense, ticket)
    with pytest.raises(UserError, match='both evaluated'):
        one(verdict_sections, find_runs([tmp_path / 'a']).runs)


def test_a_dense_model_that_finds_nothing(tmp_path):
    runs = tmp_path / 'runs'
    runs.mkdir()
    write(runs, [(0., 0.), (0., 0.)])
    row, = one(verdict_sections, find_runs([tmp_path]).runs).rows
    assert row['dense_mean'] == 0 and row['p'] is None and row['test'] == 'none (no spread)'


def test_dense_models_of_all_runs_with_that_training_count(tmp_path):
    """Each ticket with those of its own seeds, in the table too; others with all three."""
    runs = tmp_path / 'runs'
    runs.mkdir()
    write(runs, [(.70, .705), (.71, .712), (.72, .73)])
    write(runs, [(.70, .69)], rounds=3)
    write(runs, [(.70, .69), (.71, .70)], rounds=2)
    for seed in (7, 8):
        write_lottery(runs / f'{seed}', {MAP: .1}, {MAP: .69 + seed / 1000}, seed=seed, rounds=4,
                      dense_iterations=50)
    rows = {row['method']: row for row in one(verdict_sections, find_runs([tmp_path]).runs).rows}
    assert {name: (row['dense'], row['ticket'], row['dense_seeds'], row['n'])
            for name, row in rows.items()} == {
        'direct, rounds 1': ('71.00 ± 1.00', '71.57 ± 1.29', 3, 3),
        'direct, rounds 3': ('70.00', '69.00', 1, 1),
        'direct, rounds 2': ('70.50 ± 0.71', '69.50 ± 0.71', 2, 2),
        'direct, rounds 4': ('71.00 ± 1.00', '69.75 ± 0.07', 3, 2)}
    assert rows['direct, rounds 3']['verdict'] == 'no verdict (one seed)'
    assert rows['direct, rounds 2']['rule'] == 'no'


def test_of_an_error_the_smaller_wins(tmp_path):
    """NME is an error of keypoints: a ticket that has more of it is worse, not better."""
    for seed, (dense, worse, better) in enumerate([(0.04, 0.06, 0.03), (0.05, 0.0702, 0.0401),
                                                   (0.06, 0.08, 0.05)]):
        for sparsity, value in ((0.8, worse), (0.9, better)):
            write_lottery(tmp_path / f'{sparsity}_{seed}', {'NME': dense}, {'NME': value},
                          seed=seed, sparsity=sparsity, scope=sparsity)
    section = one(verdict_sections, find_runs(sorted(tmp_path.iterdir())).runs)
    assert [(row['verdict'], row['rule'], row['worse']) for row in section.rows] == [
        ('worse', 'no', True), ('better', 'yes', False)]
    assert 'several seeds 1 shown to be better, 1 to be worse' in section.text


CROWD = ['crowd_human/mAP', 'crowd_human/mMR', 'crowd_human/JI', 'own/depth']


def test_a_rate_of_misses_is_better_when_it_falls(tmp_path):
    """CrowdHuman's; what nothing is known of is higher or lower, and no ticket wins by it."""
    for seed, shift in enumerate((0, .001, -.001)):
        dense, ticket = (dict(zip(CROWD, values)) for values in (
            (.86 + shift, .52, .79, 1.0 + shift), (.88 + shift, .41 + 2 * shift, .79, .5)))
        write_lottery(tmp_path / f'{seed}', dense, ticket, seed=seed)
    section = one(verdict_sections, find_runs(sorted(tmp_path.iterdir())).runs)
    assert {row['metric']: (row['verdict'], row['rule']) for row in section.rows} == {
        'crowd_human/mAP': ('no verdict (no spread)', 'yes'),
        'crowd_human/mMR': ('better', 'yes'), 'crowd_human/JI': ('no verdict (no spread)', 'yes'),
        'own/depth': ('lower', '')}
    assert '1 shown to be better, 0 to be worse, 2 neither, 1 to be higher or lower' in section.text
    assert 'Whether more is better is not known of own/depth: ' in section.text


def test_a_lottery_that_prunes_nothing_is_no_ticket(tmp_path):
    """Dense children, between which barriers are measured: not the sparsest ticket that wins."""
    runs = tmp_path / 'runs'
    runs.mkdir()
    aps = [(.70, .705), (.71, .712), (.72, .73)]
    write(runs, aps, sparsity=0.0, scope=0.0, network=0.0)
    write(runs, [(.70, .60), (.71, .62), (.72, .61)])
    section = one(verdict_sections, find_runs([tmp_path]).runs)
    assert len(section.rows) == 2 and 'of 1 ticket with several seeds 0 shown' in section.text
    assert ' 0 of the tickets meet' in section.text and 'sparsest' not in section.text
    assert ' 1 of the rows prune nothing: dense models, not tickets.' in section.text
    group, = group_runs(find_runs([tmp_path]).runs)
    assert [cell.prunes_nothing for cell in group.cells] == [True, False]
    assert main_cells(group) == group.cells[1:]
