"""Dense trainings that were ended early, and how long tickets were trained."""
import pytest
from written import MAP, one, write_lottery

from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.compare.rows import columns
from mmlth.analysis.compare.rows import row as row_of
from mmlth.analysis.found.runs import find_runs, read_run
from mmlth.analysis.sections.cost import training_cost_sections
from mmlth.analysis.sections.early_bird import early_bird_sections
from mmlth.analysis.sections.overview import overview_section
from mmlth.analysis.sections.verdict import verdict_sections
from mmlth.core import paths
from mmlth.core.errors import UserError
from mmlth.core.files import write_json
from mmlth.engine.chain.lengths import Length
from mmlth.engine.chain.state import read_json


def end(folder, name):
    """Note what has ended round 0."""
    lottery = read_json(folder / paths.LOTTERY)
    lottery['rounds'][0]['ended_by'] = name
    write_json(folder / paths.LOTTERY, lottery)
    return folder


def test_a_training_that_any_hook_has_ended_is_no_early_bird(tmp_path):
    """Beside an EarlyBirdHook with a rule of its own, which was not the one."""
    folder = end(write_lottery(
        tmp_path / 'a', {MAP: .4}, {MAP: .6}, dense_iterations=50,
        early_bird=dict(interval=5, stop=dict(iou=.9, patience=3))), 'EarlyStoppingHook')
    run = read_run(folder)
    assert not run.dense.trained_fully and not run.dense.found_early
    section = one(training_cost_sections, [run])
    assert section.rows[0]['saved_iterations'] == 0
    assert 'EarlyStoppingHook ended round 0 before its schedule did' in section.text
    assert 'the early-bird mask ended' not in section.text
    with pytest.raises(UserError, match='no ticket and its dense model'):
        one(verdict_sections, [run])
    text = overview_section(find_runs([folder]), [], {}, []).text
    assert 'EarlyStoppingHook ended round 0 before its schedule did in a: this is not' in text


@pytest.mark.parametrize('noted', [None, 'EarlyBirdHook'])
def test_the_early_bird_is_told_by_the_hook_that_ended_it(tmp_path, noted):
    """Older versions noted none: then it is the hook that was set to."""
    folder = end(write_lottery(
        tmp_path / 'a', {MAP: .4}, {MAP: .6}, dense_iterations=50,
        early_bird=dict(interval=5, stop=dict(iou=.9, patience=3))), noted)
    run = read_run(folder)
    assert run.dense.found_early and run.dense.ended_by == 'EarlyBirdHook'
    assert one(training_cost_sections, [run]).rows[0]['saved_iterations'] == 50
    assert one(early_bird_sections, [run]).figures


def test_tickets_that_were_trained_longer_are_marked(tmp_path):
    for seed in (0, 1):
        for schedule, at in (('restart', .72), ('resume', .71)):
            write_lottery(tmp_path / f'{schedule}_{seed}', {MAP: .7 + seed / 100}, {MAP: at},
                          seed=seed, rewind=dict(to='90%', schedule=schedule))
    runs = find_runs(list(tmp_path.iterdir())).runs
    section = one(verdict_sections, runs)
    rows = {row['chain']: row for row in section.rows}
    assert {chain: row['from_start'] for chain, row in rows.items()} == {200: 190, 110: 100}
    assert all(row['dense_iterations'] == 100 for row in section.rows)
    assert '1 of the tickets were trained longer than the dense model' in section.text
    assert 'up to 1.90 times as long' in section.text
    assert section.columns['from_start'] == 'iterations from start'
    first = rows[200]
    row = row_of(*cell_of(runs, 'restart'))
    assert (row['from_start'], row['chain']) == (first['from_start'], first['chain'])
    assert {'from_start', 'chain'} <= set(columns())


@pytest.mark.parametrize('schedule, own, chain', [('restart', 100, 200), ('resume', None, None)])
def test_of_a_start_that_is_not_here_no_length_is_made_up(tmp_path, schedule, own, chain):
    """It may rewind, or go on; and its training may begin at the rewind point, or not."""
    folder = write_lottery(tmp_path / 'a', {MAP: .7}, {MAP: .6},
                           rewind=dict(to='90%', schedule=schedule))
    lottery = read_json(folder / paths.LOTTERY)
    lottery['spec']['mode'] = 'gone_package.starts.Mine'
    write_json(folder / paths.LOTTERY, lottery)
    run = read_run(folder)
    assert run.ticket.length == Length(own, None, chain)
    assert one(verdict_sections, [run]).rows[0]['from_start'] is None
    assert one(training_cost_sections, [run]).rows[0]['iterations'] == chain


def cell_of(runs, schedule):
    group, = group_runs(runs)
    cell = next(c for c in group.cells if c.settings['schedule'] == schedule)
    return group, cell, group.metrics[0]
