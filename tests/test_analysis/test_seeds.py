"""Which runs are the seeds of one ticket, and which sparsities are the same."""
import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import MAP, one, write_lottery

from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.compare.sparsities import by_sparsity, percents, same
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.ablations import allocation_sections
from mmlth.analysis.sections.equal_cost import equal_cost_sections
from mmlth.analysis.sections.layers import layers_sections
from mmlth.analysis.sections.verdict import verdict_sections

A, B = 'kp_seed{}/ticket.safetensors', 'other_seed{}/ticket.safetensors'


def cells(tmp_path, *tickets):
    """Of (source, seed, network sparsity): the seeds of each cell with the mean sparsity."""
    for number, (source, seed, network) in enumerate(tickets):
        write_lottery(tmp_path / 'runs' / f'{number}', {MAP: .7}, {MAP: .7}, seed=seed,
                      network=network, transfer=dict(source=source.format(seed)))
    group, = group_runs(find_runs([tmp_path]).runs)
    return sorted((cell.network_sparsity, sorted(run.seed for run in cell.runs))
                  for cell in group.cells)


@pytest.mark.parametrize('tickets, seeds', [
    # As far apart as sources drawn with other seeds are, over a border of any rounding.
    ([(A, 0, .30040), (A, 1, .30052), (A, 2, .30061)], [[0, 1, 2]]),
    # Two sparsities: far apart; near, of which one seed has one alone.
    ([(A, 0, .300), (A, 1, .3004), (A, 2, .41), (A, 3, .4103)], [[0, 1], [2, 3]]),
    ([(A, 0, .9900), (A, 1, .9901), (B, 0, .9940), (B, 1, .9939)], [[0, 1], [0, 1]]),
    ([(A, 0, .3000), (A, 1, .3002), (A, 2, .3001), (B, 0, .3031), (B, 2, .3030)],
     [[0, 1, 2], [0, 2]]),
    # One source for all seeds, or sources that nothing tells apart: no mean of two tickets.
    ([('a/t.pth', 0, .3), ('a/t.pth', 1, .3), ('b/t.pth', 0, .3), ('b/t.pth', 1, .3)],
     [[0, 1], [0, 1]]),
    ([(A, 0, .3001), (A, 1, .3004), (B, 0, .3002), (B, 1, .3003)], [[0], [1], [0], [1]])])
def test_seeds_of_transferred_tickets(tmp_path, tickets, seeds):
    found = cells(tmp_path, *tickets)
    assert sorted(own for _, own in found) == sorted(seeds)


_PERCENT = st.floats(0, 100).map(lambda value: round(value, 4))


@given(st.lists(_PERCENT, min_size=1, max_size=8))
def test_texts_tell_apart_what_is_not_the_same(values):
    texts, together = dict(zip(values, percents(values))), by_sparsity(values, float)
    assert len({texts[own[0]] for own in together}) == len(together)
    assert all(texts[value] == texts[own[0]] for own in together for value in own)
    for value, text in texts.items():
        assert float(text) == pytest.approx(value, abs=1)
        assert text != '100' or same(value, 100)
    assert sorted(value for own in together for value in own) == sorted(values)
    assert all(same(min(own), value) for own in together for value in own)


def test_texts_are_as_short_as_they_can_be():
    assert percents([80.02, 95, 79.9]) == ['80', '95', '80']
    assert percents([99.0, 99.4]) == ['99', '99.4']
    assert percents([99.9]) == ['99.9'] and percents([0.0, 100.0]) == ['0', '100']
    assert by_sparsity([80.3, 99.4, 79.98, 99.0], float) == [[80.3, 79.98], [99.0], [99.4]]


NEAR = (.990, .994, .999)


def test_near_sparsities_stand_apart(tmp_path):
    for number, sparsity in enumerate(NEAR):
        drop = .2 + number / 10
        for name, more, settings in (
                ('global', .1, {}), ('layerwise', 0, dict(allocation='layerwise')),
                ('snip', -.1, dict(score='snip', at='start'))):
            for seed, dense in enumerate((.70, .71, .72)):
                write_lottery(
                    tmp_path / 'runs' / f'{name}_{sparsity}_{seed}', {MAP: dense},
                    {MAP: dense - drop + more + seed ** 2 * (more + .5) / 999}, seed=seed,
                    sparsity=sparsity, scope=sparsity, network=sparsity,
                    layers={'a.weight': (1000, round(1000 * sparsity))}, **settings)
    runs = find_runs([tmp_path]).runs
    difference = one(allocation_sections, runs).text.split('\n\n')[0]
    assert all(f'at {at} %' in difference for at in ('99', '99.4', '99.9'))
    assert 'corrected by Holm for 3 differences' in difference
    cost = one(equal_cost_sections, runs)
    assert [figure.key.rpartition('detection-')[2] for figure in cost.figures] == [
        '99', '99-4', '99-9']
    assert all(len(series.x) == 1 for figure in cost.figures for series in figure.series)
    assert cost.text.count('detection, 99') == 3 and 'detection, 99.9 %: best' in cost.text
    layers = one(layers_sections, runs)
    assert [series.label for series in layers.figures[0].series] == [
        '99 % of the scope', '99.4 % of the scope', '99.9 % of the scope']
    assert '99.9 % of the scope: from 99.9 %' in layers.text
    bars = one(verdict_sections, runs).figures[0].series[0]
    assert bars.x == ['direct, 99 %', 'direct, 99.4 %', 'direct, 99.9 %']
