"""Lotteries with a sparsity of their own for each round."""
import json

import pytest
from written import MAP, lottery_cfg, one, write_lottery

from mmlth.analysis.compare.families import labels_of, main_cells
from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.compare.paper_rows import is_plain
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.verdict import verdict_sections
from mmlth.engine.chain.lottery_spec import LotterySpec


@pytest.mark.parametrize('older', [False, True])
def test_a_list_is_not_one_shot(tmp_path, older):
    """It stood beside one-shot tickets under their name; older files have ``rounds`` 1."""
    for seed in (0, 1):
        for name, sparsity in enumerate(
                (.8, .9, [.3, .6, .8], [.3, .6, .9], [.5, .7, .8], [.7])):
            folder = write_lottery(
                tmp_path / f'{name}_{seed}', {MAP: .5 + .01 * seed}, {MAP: .4 + .02 * seed},
                seed=seed, sparsity=sparsity, scope=(sparsity if isinstance(sparsity, float)
                                                     else sparsity[-1]))
            if older:
                path = folder / 'lottery.json'
                lottery = json.loads(path.read_text())
                lottery['spec']['rounds'] = 1
                path.write_text(json.dumps(lottery))
    runs = find_runs(sorted(tmp_path.iterdir())).runs
    group, = group_runs(runs)
    labels = labels_of(group.cells)
    assert sorted((label, round(cell.scope_sparsity), cell.settings['rounds'])
                  for label, cell in zip(labels, group.cells)) == [
        ('direct', 70, 1), ('direct', 80, 1), ('direct', 90, 1),
        ('direct, rounds 3, sparsities_before 0.3+0.6', 80, 3),
        ('direct, rounds 3, sparsities_before 0.3+0.6', 90, 3),
        ('direct, rounds 3, sparsities_before 0.5+0.7', 80, 3)]
    assert [round(cell.scope_sparsity) for cell in main_cells(group)] == [70, 80, 90]
    assert [is_plain(cell) for cell in group.cells] == [
        cell.settings['rounds'] == 1 for cell in group.cells]
    rows = one(verdict_sections, runs).rows
    assert len({(row['method'], round(row['scope_sparsity'])) for row in rows}) == len(rows) == 6


def test_the_settings_have_the_rounds_of_a_list():
    spec = LotterySpec.of(lottery_cfg(sparsity=[.3, .6, .8]))
    assert spec.settings['rounds'] == spec.rounds == 3
