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
    write(tmp_path, (.60, .62, .60), sparsity=0.9, scope=0.9)       # no other control of it
    write(tmp_path, (.50, .51, .50), control='random_mask', sparsity=0.5)       # nor its ticket
    section = section_of(tmp_path)
    assert [(row['method'], row['control']) for row in section.rows] == [
        ('direct', 'dense, trained on'), ('direct', 'dense, trained on'),
        ('direct', 'random mask'), ('direct', 'fine-tuning')]
    assert [row['difference'] for row in section.rows] == pytest.approx(
        [-4 - 1 / 3, -14 - 2 / 3, 9 + 2 / 3, 5])
    assert [row['verdict'] for row in section.rows] == ['worse', 'worse', 'better', 'better']
    assert [(row['test'], row['n'], round(row['scope_sparsity'])) for row in section.rows] == [
        ('paired', 3, sparsity) for sparsity in (80, 90, 80, 80)]
    assert [(row['from_start'], row['control_from_start']) for row in section.rows] == [
        (100, 200), (100, 200), (100, 100), (100, 200)]
    assert 'Holm for the 4 comparisons' in section.text
    figure, = section.figures
    assert [series.x for series in figure.series] == [
        [f'direct less dense, trained on, {text} %' for text in (80, 90)],
        *([f'direct less {control}, 80 %'] for control in ('random mask', 'fine-tuning'))]


@pytest.mark.parametrize('rewind', [dict(mode='lr'), dict(mode='signs')])
def test_controls_have_the_start_of_their_ticket(tmp_path, rewind):
    """Whatever that is: none was found but for tickets rewound to their weights."""
    write(tmp_path, SPARSE, rewind=rewind)
    write(tmp_path, (.60, .63, .61), control='random_mask', rewind=rewind)
    row, = section_of(tmp_path).rows
    assert row['control'] == 'random mask' and row['difference'] == pytest.approx(9 + 2 / 3)


def test_what_prunes_nothing_is_the_control_of_all_sparsities(tmp_path):
    for sparsity, drop in ((.5, .01), (.8, .02), (.9, .2)):
        write(tmp_path, (.75 - drop, .76 - drop, .75 - drop), sparsity=sparsity, scope=sparsity)
    write(tmp_path, (.70, .72, .70), scope_=['base'], score='random', floor=.1,
          allocation='layerwise', rewind=dict(to='5it'))
    write(tmp_path, (.75, .76, .75), control='dense', scope=0.0, network=0.0)
    rows = section_of(tmp_path).rows
    assert sorted((round(row['scope_sparsity']), row['difference']) for row in rows) == [
        (50, pytest.approx(-1)), (80, pytest.approx(-4 - 2 / 3)), (80, pytest.approx(-2)),
        (90, pytest.approx(-20))]
    assert {row['control'] for row in rows} == {'dense, trained on'}


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
