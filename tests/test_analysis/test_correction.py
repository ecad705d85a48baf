"""No claim without a test that knows how many there were; what is missing is named."""
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import MAP, one, write_lottery

from mmlth.analysis.compare.changes import change
from mmlth.analysis.compare.correction import correct, holm
from mmlth.analysis.compare.statistics import compare
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.ablations import (allocation_sections, rewinding_sections,
                                               rounds_sections)
from mmlth.analysis.sections.curves import sparsity_sections
from mmlth.analysis.sections.equal_cost import equal_cost_sections
from mmlth.analysis.sections.overview import overview_section
from mmlth.analysis.sections.verdict import verdict_sections

_P = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.05, 1.0]))


@given(st.lists(_P, max_size=6))
def test_holm_is_the_closure_of_bonferroni(values):
    """Each hypothesis falls with the weakest of all sets that it is in (Marcus et al. 1976)."""
    indices = range(len(values))
    sets = [chosen for size in indices for chosen in itertools.combinations(indices, size + 1)]
    expected = [max(min(1.0, len(chosen) * min(values[i] for i in chosen))
                    for chosen in sets if index in chosen) for index in indices]
    assert holm(values) == pytest.approx(expected)


@given(st.lists(_P, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_corrected_p_values_keep_their_order_and_none_gets_smaller(values, random):
    found = holm(values)
    assert all(p <= corrected <= 1 for p, corrected in zip(values, found))
    order = random.sample(range(len(values)), len(values))
    assert holm([values[i] for i in order]) == [found[i] for i in order]
    assert sorted(found) == [p for _, p in sorted(zip(values, found))]


def write(root, name, pairs, **config):
    for seed, (dense, ticket) in enumerate(pairs):
        write_lottery(root / 'runs' / f'{name}_{seed}', {MAP: dense}, {MAP: ticket}, seed=seed,
                      **config)


# Two seeds and more of a difference whose p is about 0.03 alone, and about 0.06 as one of two.
CLEAR_ALONE = [(.70, .66), (.71, .68), (.72, .665)]


def test_what_is_shown_alone_may_not_be_among_many(tmp_path):
    write(tmp_path, 'a', CLEAR_ALONE, sparsity=0.8)
    row, = one(verdict_sections, find_runs([tmp_path]).runs).rows
    assert row['verdict'] == 'worse' and row['p_corrected'] == row['p'] < 0.05
    write(tmp_path, 'b', [(.70, .71), (.71, .70), (.72, .725)], sparsity=0.5, scope=0.5)
    section = one(verdict_sections, find_runs([tmp_path]).runs)
    row = section.rows[1]
    assert row['p'] < 0.05 < row['p_corrected'] == pytest.approx(2 * row['p'])
    assert row['verdict'] == 'no difference shown' and row['interval'].startswith('-')
    assert 'corrected by Holm for the 2 comparisons of this table' in section.text
    # The table of sparsities has the same comparisons, and so the same words.
    other = one(sparsity_sections, find_runs([tmp_path]).runs)
    assert [(r['change'], r['low'], r['p_corrected']) for r in other.rows] == [
        (r['difference'], r['low'], r['p_corrected']) for r in section.rows]
    assert 'for the 2 comparisons of this table' in other.text
    assert {'interval', 'p_corrected'} <= set(other.columns)


def test_a_row_that_stands_twice_is_one_comparison(tmp_path):
    """The dense model trained on stands beside each sparsity."""
    for sparsity in (0.5, 0.8):
        write(tmp_path, f'{sparsity}', [(.70, .69), (.72, .70), (.71, .71)], sparsity=sparsity,
              scope=sparsity)
        write(tmp_path, f'snip_{sparsity}', [(.70, .66), (.72, .67), (.71, .66)], score='snip',
              at='start', sparsity=sparsity, scope=sparsity)
    write(tmp_path, 'on', [(.70, .71), (.72, .73), (.71, .722)], control='dense', scope=0.0)
    section = one(equal_cost_sections, find_runs([tmp_path]).runs)
    assert len(section.rows) == 6
    assert 'for the 5 comparisons of this table' in section.text
    longer = [row for row in section.rows if 'dense' in row['method']]
    assert longer[0]['p_corrected'] == longer[1]['p_corrected'] > longer[0]['p']


def test_one_seed_has_no_p_and_counts_for_none():
    rows = correct([dict(p=0.04, worse=True, test='paired', method='a'),
                    dict(p=None, worse=False, test='none', method='b'),
                    dict(p=None, worse=False, test='none (no spread)', method='c'),
                    dict(p=None, worse=None, test=None, method='dense')])
    assert [(row['p_corrected'], row['verdict']) for row in rows] == [
        (0.04, 'worse'), (None, 'no verdict (one seed)'), (None, 'no verdict (no spread)'),
        (None, None)]


def test_the_best_of_several_is_tested_for_all_pairs(tmp_path):
    for rounds, aps in ((1, (.70, .71, .715)), (2, (.69, .70, .71)), (5, (.68, .687, .69))):
        write(tmp_path, f'{rounds}', [(.70, ap) for ap in aps], rounds=rounds)
    text = one(rounds_sections, find_runs([tmp_path]).runs).text
    p = 3 * compare(dict(enumerate((68., 68.7, 69.))), dict(enumerate((70., 71., 71.5)))).p
    assert 'lowest with 5 (68.57), dense 70.00. Between the two: +2.27 (95 % interval' in text
    assert f'p = {p:.2g}' in text and 'p is corrected by Holm for 3 pairs.' in text
    assert ' Not shown to be below the highest: 2. p is' in text


def test_values_in_between_are_above_or_below_with_the_extremes(tmp_path):
    for to, aps in (('0it', (.70, .71, .72)), ('5it', (.699, .712, .718)),
                    ('50it', (.60, .609, .621)), ('90it', (.40, .411, .419))):
        write(tmp_path, to, [(.70, ap) for ap in aps], rewind=dict(to=to))
    text = one(rewinding_sections, find_runs([tmp_path]).runs).text
    assert 'highest with rewinding point 0it (71.00), lowest with 90it (41.00)' in text
    assert (' Shown to be below the highest: 50it. Not shown to be below the highest: 5it. p is'
            ) in text


def test_allocations_are_compared_by_seed(tmp_path):
    for name, aps in (('global', (.70, .72, .71)), ('layerwise', (.66, .69, .67))):
        write(tmp_path, name, [(.70, ap) for ap in aps], allocation=name)
    text = one(allocation_sections, find_runs([tmp_path]).runs).text
    found = compare(dict(enumerate((70., 72., 71.))), dict(enumerate((66., 69., 67.))))
    assert text.startswith(
        f'Faster R-CNN R18, VOC, detection, layerwise less global: -3.67 (95 % interval '
        f'{found.interval[0]:+.2f} to {found.interval[1]:+.2f}, p = {found.p:.2g}) at 80 % '
        'sparsity. p is corrected by Holm for 1 difference.')


def test_a_change_in_percent_is_paired_as_any_other():
    """Seeds without a dense model are not compared with the mean of others."""
    dense, ticket = {0: 0.5, 1: 0.7, 2: 0.6}, {0: 0.4, 1: 0.65, 9: 0.1}
    found, plain = change(dense, ticket), compare(dense, ticket)
    assert found.n == 2 and found.paired
    assert found.difference == pytest.approx(plain.difference / 0.6 * 100)
    assert found.p == plain.p and found.interval[1] == pytest.approx(plain.interval[1] / 0.6 * 100)


def test_what_is_missing_in_comparisons_is_named(tmp_path):
    write(tmp_path, 'a', [(.70, .69), (.71, .72), (float('nan'), .70)])
    write(tmp_path, 'b', [(.70, .69), (.71, float('nan'))], sparsity=0.9, scope=0.9)
    found = find_runs([tmp_path])
    study = tmp_path.name
    text = overview_section(found, [], {}, []).text
    assert (f'Not in any mean: the dense model of {study}/a_2, the ticket of {study}/b_1 '
            f'({MAP} is nan).') in text
    assert (f'Without a dense model of their seed: {study}/a_2 (left out of the difference, '
            'which is paired by seed).') in text
    whole = find_runs([tmp_path / 'runs' / name for name in ('a_0', 'a_1')])
    assert 'Not in any mean' not in overview_section(whole, [], {}, []).text
