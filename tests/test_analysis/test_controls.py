"""Tickets against their controls, paired by seed."""
import pytest
from written import BOX, FASTER, MAP, MASK, COCO, one, write_lottery

from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.controls import controls_sections
from mmlth.core.errors import UserError

SPARSE = (.70, .72, .71)


def write(root, values, dense=.75, metric=MAP, **config):
    for seed, value in enumerate(values):
        folder = root / 'runs' / f'{len(list((root / "runs").glob("*")))}'
        write_lottery(folder, {metric: dense}, {metric: value}, seed=seed, **config)


def section_of(root):
    return one(controls_sections, find_runs([root]).runs)


def test_a_ticket_less_each_of_its_controls(tmp_path):
    write(tmp_path, SPARSE)
    write(tmp_path, (.60, .63, .61), control='random_mask')
    write(tmp_path, (.75, .76, .75), control='dense', scope=0.0, network=0.0)
    write(tmp_path, (.66, .67, .65), rewind=dict(mode='finetune', length='100%'))
    write(tmp_path, (.60, .61, .60), sparsity=0.9, scope=0.9)       # no control of it
    write(tmp_path, (.50, .51, .50), control='random_mask', sparsity=0.5)       # nor its ticket
    section = section_of(tmp_path)
    assert [(row['method'], row['control']) for row in section.rows] == [
        ('direct', 'dense, trained on'), ('direct', 'random mask'), ('direct', 'fine-tuning')]
    assert [row['difference'] for row in section.rows] == pytest.approx([-4 - 1 / 3, 9 + 2 / 3, 5])
    assert [row['verdict'] for row in section.rows] == ['worse', 'better', 'better']
    assert {(row['test'], row['n'], round(row['scope_sparsity'])) for row in section.rows} == {
        ('paired', 3, 80)}
    assert [(row['from_start'], row['control_from_start']) for row in section.rows] == [
        (100, 200), (100, 100), (100, 200)]
    assert 'Holm for the 3 comparisons' in section.text
    figure, = section.figures
    assert [series.x for series in figure.series] == [
        [f'direct less {row["control"]}, 80 %'] for row in section.rows]


def test_average_precision_at_50_stands_below(tmp_path):
    at_50 = 'coco/bbox_mAP_50'
    for control, values in ((None, (.4, .41)), ('fresh_weights', (.3, .33))):
        for seed, value in enumerate(values):
            write_lottery(tmp_path / 'runs' / f'{control}_{seed}', {BOX: .5, at_50: .7},
                          {BOX: value, at_50: value + .2}, seed=seed, control=control, model=MASK,
                          data=COCO)
    assert [(row['label'], row['difference']) for row in section_of(tmp_path).rows] == [
        ('mAP', pytest.approx(9)), ('AP50', pytest.approx(9))]


def test_without_a_control_there_is_nothing_to_show(tmp_path):
    write(tmp_path, SPARSE, model=FASTER)
    write(tmp_path, SPARSE, sparsity=0.9)
    with pytest.raises(UserError, match='no ticket has a control'):
        controls_sections(find_runs([tmp_path]).runs, None)
