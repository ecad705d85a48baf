"""Numbers in text, with the digits that their spread asks for."""
import pytest
from written import one, write_lottery

from mmlth.analysis.compare.amounts import difference_text, interval_text, spread_text
from mmlth.analysis.compare.statistics import Spread, compare
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.verdict import verdict_sections


@pytest.mark.parametrize('mean, std, text', [
    (70.514, 0.42, '70.51 ± 0.42'), (70.514, 12.0, '70.51 ± 12.00'), (70.514, None, '70.51'),
    (0.36483, 0.0007, '0.3648 ± 0.0007'), (0.36483, None, '0.365'), (0.0, 0.0, '0.00 ± 0.00'),
    (70.5, 1e-14, '70.50 ± 0.00'), (0.36483, 0.0, '0.365 ± 0.000'), (-3.5, None, '-3.50')])
def test_a_mean_with_its_deviation(mean, std, text):
    assert spread_text(Spread(mean, std, 3)) == text


def test_a_difference_with_its_interval():
    points = compare({0: 70.0, 1: 71.0, 2: 72.0}, {0: 69.5, 1: 71.2, 2: 72.2})
    assert (difference_text(points), interval_text(points)) == ('-0.03', '-1.04 to +0.97')
    fraction = compare({0: .3641, 1: .3655, 2: .3648}, {0: .3602, 1: .3609, 2: .3611})
    assert (difference_text(fraction), interval_text(fraction)) == ('-0.004', '-0.005 to -0.003')
    alone = compare({0: .3641}, {0: .3602})
    assert (difference_text(alone), interval_text(alone)) == ('-0.004', '')


def test_a_metric_in_fractions_is_seen_to_move(tmp_path):
    for seed, (dense, ticket) in enumerate([(.3641, .3602), (.3655, .3609), (.3648, .3611)]):
        write_lottery(tmp_path / f'{seed}', {'cityscapes/mAP': dense}, {'cityscapes/mAP': ticket},
                      seed=seed)
    row, = one(verdict_sections, find_runs(sorted(tmp_path.iterdir())).runs).rows
    assert (row['dense'], row['ticket']) == ('0.3648 ± 0.0007', '0.3607 ± 0.0005')
    assert row['interval'] == '-0.005 to -0.003' and row['verdict'] == 'worse'
