"""Which runs are the seeds of one ticket, and which sparsities are the same."""
import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import MAP, write_lottery

from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.compare.sparsities import by_sparsity, percents, same
from mmlth.analysis.found.runs import find_runs

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
    texts = percents(values)
    for text, value in zip(texts, values):
        assert float(text) == pytest.approx(value, abs=.5)
        assert text != '100' or same(value, 100)
        assert all(text != other or same(value, beside) for other, beside in zip(texts, values))
    together = by_sparsity(values, float)
    assert sorted(value for own in together for value in own) == sorted(values)
    assert all(same(min(own), value) for own in together for value in own)


def test_texts_are_as_short_as_they_can_be():
    assert percents([80.02, 95]) == ['80', '95'] and percents([99.0, 99.4]) == ['99', '99.4']
    assert percents([99.9]) == ['99.9'] and percents([0.0, 100.0]) == ['0', '100']
    assert by_sparsity([80.3, 99.4, 79.98, 99.0], float) == [[80.3, 79.98], [99.0], [99.4]]
