"""Which dense model a ticket is compared with: its lottery's own, or one of its seed."""
import json

import pytest
from evaluated import evaluations, precision, write_run
from written import MAP, MASK, one, write_lottery

from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.categories import difficulty_sections
from mmlth.analysis.sections.overview import overview_section
from mmlth.analysis.sections.sizes import sizes_sections
from mmlth.analysis.sections.verdict import verdict_sections

DENSE = {.5: (.50, .52, .51), .8: (.60, .61, .63), .9: (.40, .44, .41)}


def rows_of(found):
    return {round(row['scope_sparsity']): row for row in one(verdict_sections, found.runs).rows}


def test_each_ticket_less_its_own_dense_model(tmp_path):
    """Of another lottery of its seed it came out better or worse, as that one happened to be."""
    for sparsity, dense in DENSE.items():
        for seed, value in enumerate(dense):
            write_lottery(tmp_path / f'{sparsity}_{seed}', {MAP: value},
                          {MAP: value - .01 - .001 * seed}, seed=seed, sparsity=sparsity,
                          scope=sparsity)
    folders = sorted(tmp_path.iterdir())
    for order in (folders, folders[::-1]):
        found = find_runs(order)
        assert {key: row['difference'] for key, row in rows_of(found).items()} == {
            50: pytest.approx(-1.1), 80: pytest.approx(-1.1), 90: pytest.approx(-1.1)}
        assert ('Dense models of one seed differ (Faster R-CNN R18, VOC, detection: by up to 22)'
                in overview_section(found, [], {}, []).text)


def test_a_run_without_a_dense_model_has_that_of_its_seed(tmp_path):
    for seed in (0, 1):
        write_lottery(tmp_path / f'a{seed}', {MAP: .5 + .1 * seed}, {MAP: .4}, seed=seed)
        write_lottery(tmp_path / f'b{seed}', {MAP: .1}, {MAP: .45 + .11 * seed}, seed=seed,
                      sparsity=.9, scope=.9, dense_iterations=50)
    found = find_runs(sorted(tmp_path.iterdir()))
    assert rows_of(found)[90]['difference'] == pytest.approx(-4.5)
    assert 'Dense models of one seed' not in overview_section(found, [], {}, []).text


def test_sizes_and_categories_less_their_own_dense_model(tmp_path):
    runs = []
    for sparsity, dense in ((.8, .5), (.9, .3)):
        kinds = [dict(bbox=precision(ap, dict(small=ap, medium=ap).items(),
                                     dict(cat=ap, dog=ap).items())) for ap in (dense, .9 * dense)]
        runs.append(write_run(tmp_path / f'{sparsity}', *kinds, sparsity=sparsity, model=MASK))
    for analysis in (sizes_sections, difficulty_sections):
        section = one(analysis, runs, evaluations(runs))
        assert len(section.rows) == 4
        assert [row['change'] for row in section.rows] == pytest.approx([-10] * 4)


def write_given(folder, seed, digest, file='epoch_12.pth', **config):
    """A lottery that was given its dense model."""
    file = f'/models/{seed}/{file}'
    write_lottery(folder, {MAP: .5 + .01 * seed}, {MAP: .48 + .02 * seed}, seed=seed,
                  dense_iterations=0, **config)
    path = folder / 'lottery.json'
    lottery = json.loads(path.read_text())
    lottery['config']['default_hooks']['prune']['dense'] = lottery['spec']['dense'] = file
    lottery['rounds'][0]['given'] = dict(
        dense=dict(file=file, sha256=digest * 64, iterations=100), rewind=None)
    path.write_text(json.dumps(lottery))


@pytest.mark.parametrize('file', ['epoch_12.pth', 'seed_{}.pth'])
def test_given_dense_models_are_averaged_over_seeds(tmp_path, file):
    for seed in range(3):
        for sparsity in (.5, .8):
            write_given(tmp_path / f'{seed}_{sparsity}', seed, f'{seed}', file.format(seed),
                        sparsity=sparsity, scope=sparsity)
    found = find_runs(sorted(tmp_path.iterdir()))
    group, = group_runs(found.runs)
    assert group.label == 'Faster R-CNN R18, VOC'
    assert {(key, row['n'], row['dense_seeds']) for key, row in rows_of(found).items()} == {
        (50, 3, 3), (80, 3, 3)}


def test_two_given_dense_models_of_a_seed_stand_apart(tmp_path):
    """By the names of their files, if these tell them apart."""
    for seed in (0, 1):
        for epoch in (12, 24):
            write_given(tmp_path / f'{epoch}_{seed}', seed, f'{seed + epoch % 7}',
                        f'epoch_{epoch}.pth')
    found = find_runs(sorted(tmp_path.iterdir()))
    assert found.left_out == {}
    assert [(group.label, len(group.runs)) for group in group_runs(found.runs)] == [
        ('Faster R-CNN R18, VOC (dense=epoch_12.pth)', 2),
        ('Faster R-CNN R18, VOC (dense=epoch_24.pth)', 2)]
    write_given(tmp_path / 'again', 0, 'f')     # another file of that name
    assert sorted(len(group.runs) for group in group_runs(
        find_runs(sorted(tmp_path.iterdir())).runs)) == [1, 1, 1, 2]
