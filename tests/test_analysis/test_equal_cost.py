"""What methods reach for how much training."""
import math

import numpy as np
import pytest
from scipy import stats
from toy import lottery_config
from written import MAP, one, write_lottery

from mmlth.analysis.found.runs import find_runs, read_run
from mmlth.analysis.sections.cost import training_cost_sections
from mmlth.analysis.sections.equal_cost import equal_cost_sections
from mmlth.core.errors import UserError
from mmlth.engine import LotteryRunner

DENSE = [0.70, 0.72, 0.71]
# Method -> its settings, and what it reaches beside each of the dense models.
METHODS = {
    'one-shot': (dict(), [0.69, 0.70, 0.71]), 'rounds': (dict(rounds=3), [0.71, 0.72, 0.72]),
    'snip': (dict(score='snip', at='start'), [0.66, 0.67, 0.65]),
    'random': (dict(score='random', at='start', dense_iterations=0), [0.60, 0.62, 0.61]),
    'tuned': (dict(rewind=dict(mode='finetune', length='100%')), [0.70, 0.70, 0.70]),
    'grown': (dict(score='random', allocation='erk', update=dict(type='rigl')),
              [0.69, 0.70, 0.70]),
    'on': (dict(control='dense', scope=0.0, network=0.0), [0.71, 0.73, 0.73]),
    'carried': (dict(transfer=dict(source='a/final.pth')), [0.5, 0.5, 0.5]),
    'other': (dict(sparsity=0.9, scope=0.9, network=0.8), [0.65, 0.66, 0.67]),
    'cheap': (dict(sparsity=0.9, scope=0.9, network=0.8, score='snip', at='start'),
              [0.61, 0.60, 0.62])}


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp('runs')
    for name, (settings, values) in METHODS.items():
        for seed, (dense, value) in enumerate(zip(DENSE, values)):
            write_lottery(root / f'{name}_{seed}', {MAP: dense}, {MAP: value}, seed=seed,
                          **settings)
    return find_runs(sorted(root.iterdir())).runs


def test_each_method_at_what_it_costs(runs):
    section = one(equal_cost_sections, runs)
    eighty = [row for row in section.rows if round(row['scope_sparsity']) == 80]
    assert [(row['method'], row['cost'], row['chain']) for row in eighty] == [
        ('RigL, erk, random score', 1, 200), ('random score', 1, 100), ('snip score', 1, 200),
        ('direct', 2, 200), ('fine-tuning', 2, 200), ('direct, rounds 3', 4, 400)]
    assert all(row['needed'] == 100 * row['cost'] for row in section.rows)
    # Beside each sparsity the dense model trained on, which has none.
    assert [(row['method'], row['cost']) for row in section.rows if not row['scope_sparsity']] == [
        ('control: dense, trained on', 2)] * 2
    assert not any('ticket of' in row['method'] for row in section.rows)


def test_differences_are_paired_by_seed_with_their_interval(runs):
    row = next(row for row in one(equal_cost_sections, runs).rows if row['method'] == 'snip score')
    deltas = 100 * np.subtract(METHODS['snip'][1], DENSE)
    half = stats.t.ppf(0.975, 2) * deltas.std(ddof=1) / math.sqrt(3)
    assert row['test'] == 'paired' and row['n'] == 3
    assert row['difference'] == pytest.approx(deltas.mean())
    assert (row['low'], row['high']) == pytest.approx((deltas.mean() - half, deltas.mean() + half))


def test_a_figure_for_each_sparsity(runs):
    section = one(equal_cost_sections, runs)
    first, second = section.figures
    assert (first.key, second.key) == tuple(
        f'equal-cost-faster-r-cnn-r18-voc-detection-{s}' for s in (80, 90))
    assert first.xlabel == 'training cost (dense trainings)'
    points = {series.label: (list(series.x), series.y) for series in first.series}
    assert points['dense'] == ([1], [pytest.approx(71)])
    assert points['direct, rounds 3'] == ([4], [pytest.approx(100 * np.mean([.71, .72, .72]))])
    assert [series.label for series in second.series] == [
        'dense', 'snip score', 'control: dense, trained on', 'direct']
    assert first.references[0].y == pytest.approx(71)
    assert section.text.startswith(
        'Faster R-CNN R18, VOC, detection, 80 %: best for one dense training or less (of 3) RigL, '
        'erk, random score with 69.67, -1.33 from dense (95 % interval -2.77 to +0.10), cost 1.00; '
        'best at any cost (of 7) control: dense, trained on with 72.33')


def test_the_table_of_costs_says_what_was_needed(runs):
    rows = {row['method']: row for row in one(training_cost_sections, runs).rows}
    assert (rows['snip score']['iterations'], rows['snip score']['needed']) == (200, 100)
    assert rows['snip score']['dense_trainings'] == 1
    assert rows['direct, rounds 3']['dense_trainings'] == 4


def test_at_one_cost_there_is_nothing_to_compare(tmp_path):
    runs = [read_run(write_lottery(tmp_path / str(seed), {MAP: .7}, {MAP: .7}, seed=seed,
                                   sparsity=0.8 + seed / 10, scope=0.8 + seed / 10))
            for seed in (0, 1)]
    with pytest.raises(UserError, match='no tickets of one sparsity differ'):
        one(equal_cost_sections, runs)


def test_what_real_lotteries_cost(tmp_path):
    """SNIP's dense model is trained to be compared with: the ticket does not need it."""
    for name, settings in {
            'usual': {}, 'snip': {'to': '0it', 'default_hooks.prune.score': 'snip'}}.items():
        LotteryRunner(lottery_config(tmp_path / name, **settings)).train()
    usual, snip = (read_run(tmp_path / name) for name in ('usual', 'snip'))
    assert not usual.drawn_at_start and usual.needed == 24
    assert snip.drawn_at_start and snip.settings['at'] is None
    assert (snip.needed, snip.ticket.length.chain) == (12, 24)
    assert [row['cost'] for row in one(equal_cost_sections, [usual, snip]).rows] == [1, 2]
