"""The series behind the figures."""
import pytest
from written import BOX, COCO, FASTER, MAP, MASK, SEGM, VOC, one, write_curve, write_lottery

from mmlth.analysis.compare.families import family_labels, labels_of
from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.sections.ablations import (allocation_sections, rewinding_sections,
                                               rounds_sections)
from mmlth.analysis.sections.curves import backbone_sections, sparsity_sections
from mmlth.analysis.sections.early_bird import early_bird_sections
from mmlth.analysis.sections.layers import layers_sections
from mmlth.analysis.sections.overview import overview_section
from mmlth.analysis.sections.verdict import verdict_sections
from mmlth.core.errors import UserError
from mmlth.metrics import metric_of

R50 = {**FASTER, 'backbone': dict(type='ResNet', depth=50)}


@pytest.fixture
def study(tmp_path):
    """Write lotteries, ``aps`` as (dense, ticket) per seed; read them all."""
    class Study:
        number = 0

        def add(self, *aps, metric=MAP, seeds=None, **config):
            for seed, (dense, ticket) in zip(seeds or range(len(aps)), aps):
                self.number += 1
                folder = tmp_path / 'runs' / f'{self.number:03d}'
                write_lottery(folder, {} if dense is None else {metric: dense},
                              {} if ticket is None else {metric: ticket}, seed=seed, **config)
            return folder

        @property
        def runs(self):
            return find_runs([tmp_path]).runs
    return Study()


def points(series):
    return list(zip(series.x, series.y, series.error or [None] * len(series.y)))


def approx(rows):
    return [pytest.approx(row) if None not in row else row for row in rows]


def test_sparsity_curve_with_its_band_and_the_dense_line(study):
    study.add((.70, .71), (.72, .71), (.71, .74), sparsity=0.5, scope=0.5, network=0.44)
    study.add((.70, .60), (.72, .62), (.71, .61), sparsity=0.9, scope=0.9, network=0.8)
    figure, = one(sparsity_sections, study.runs).figures
    line, = figure.series
    assert line.label == 'direct'
    assert points(line) == approx([(44, 72, 3 * 3 ** 0.5), (80, 61, 3)])
    dense, = figure.references
    assert (dense.label, dense.y, dense.error) == ('dense', pytest.approx(71), pytest.approx(1))
    assert figure.ylabel == 'detection mAP (%)' and figure.xlabel == 'network sparsity (%)'


def test_one_seed_has_no_band(study):
    study.add((.70, .71), sparsity=0.5, scope=0.5, network=0.44)
    study.add((.70, .60), sparsity=0.9, scope=0.9, network=0.8)
    figure, = one(sparsity_sections, study.runs).figures
    assert figure.series[0].error == [None, None] and figure.references[0].error is None


def test_direct_against_transferred(study, tmp_path):
    """Each seed has a source of its own; they are one method nevertheless."""
    study.add((.70, .71), (.72, .70), sparsity=0.5, scope=0.5, network=0.44)
    study.add((.70, .69), (.72, .69), sparsity=0.8, scope=0.8, network=0.7)
    for seed, ap in enumerate((.60, .64)):
        source = write_lottery(tmp_path / f'imagenet_{seed}' / 'imagenet', {}, {}, seed=seed,
                               model=dict(type='ImageClassifier'),
                               data=dict(type='ImageNet', data_root='data/imagenet'))
        study.add((.70 + .02 * seed, ap), seeds=[seed], scope=0.9, network=0.79,
                  transfer=dict(source=str(source / 'round_1' / 'final.pth')))
    figure, = one(sparsity_sections, study.runs).figures
    assert [s.label for s in figure.series] == ['direct', 'ImageNet ticket']
    assert [(x, y) for x, y, _ in points(figure.series[1])] == approx([(79, 62)])


def test_other_settings_do_not_mix_with_the_direct_line(study):
    study.add((.70, .71), sparsity=0.5, scope=0.5, network=0.44)
    study.add((.70, .69), sparsity=0.8, scope=0.8, network=0.7)
    for other in (dict(rounds=3), dict(allocation='layerwise'), dict(control='random_mask'),
                  dict(rewind=dict(to='5it')), dict(floor=0.1)):
        study.add((.70, .10), **other)
    figure, = one(sparsity_sections, study.runs).figures
    line, = figure.series
    assert line.y == pytest.approx([71, 69])


def test_several_direct_lines_are_told_apart(study):
    for floor, ap in ((0.0, .71), (0.1, .61)):
        study.add((.70, ap), sparsity=0.5, scope=0.5, network=0.44, floor=floor)
        study.add((.70, ap), sparsity=0.8, scope=0.8, network=0.7, floor=floor)
    labels = [s.label for s in one(sparsity_sections, study.runs).figures[0].series]
    assert labels == ['direct', 'direct, floor 0.1']


def test_trainings_are_not_averaged_with_others(study):
    study.add((.70, .71), sparsity=0.5, scope=0.5, network=0.44)
    study.add((.10, .11), sparsity=0.5, scope=0.5, network=0.44, iters=10)
    first, second = group_runs(study.runs)
    assert [g.label for g in (first, second)] == [
        'Faster R-CNN R18, VOC (train_cfg.max_iters=100)',
        'Faster R-CNN R18, VOC (train_cfg.max_iters=10)']
    assert {round(v) for g in (first, second) for v in g.dense(metric_of(MAP)).values()} == {
        70, 10}


def test_backbones_by_their_change(study):
    for model, change in ((FASTER, -.05), (R50, .01)):
        for sparsity in (.5, .9):
            study.add((.70, .70 + change * sparsity), (.74, .74 + change * sparsity),
                      model=model, sparsity=sparsity, scope=sparsity, network=sparsity)
    figure, = one(backbone_sections, study.runs).figures
    assert [s.label for s in figure.series] == ['Faster R-CNN R18', 'Faster R-CNN R50']
    assert points(figure.series[0])[1][:2] == pytest.approx((90, -4.5))
    # The change of each seed, so that the spread of the dense models does not widen it.
    assert figure.series[0].error == pytest.approx([0, 0], abs=1e-9)
    assert figure.ylabel == 'change of detection mAP (points)'


def test_each_task_has_its_figure(study, tmp_path):
    for seed in (0, 1):
        for sparsity in (.5, .9):
            write_lottery(tmp_path / 'runs' / f'{seed}{sparsity}', {BOX: .3, SEGM: .2},
                          {BOX: .29, SEGM: .19}, model=MASK, data=COCO, seed=seed,
                          sparsity=sparsity, scope=sparsity, network=sparsity)
    figures = one(sparsity_sections, study.runs).figures
    assert [f.ylabel for f in figures] == ['detection mAP (%)', 'segmentation mAP (%)']
    assert len({f.key for f in figures}) == 2


def test_rewinding_points_in_iterations(study):
    for to, ap in (('0it', .7), ('5%', .69), ('50it', .68), ('1ep', .1)):
        study.add((.70, ap), rewind=dict(to=to), iters=1000)
    figure, = one(rewinding_sections, study.runs).figures
    # An epoch of an iteration-based loop has an unknown number of iterations.
    assert points(figure.series[0]) == [(0, pytest.approx(70), None),
                                        (50, pytest.approx(69), None),
                                        (50, pytest.approx(68), None)]


def test_rounds(study):
    for rounds, ap in ((1, .7), (5, .6), (3, .65)):
        study.add((.70, ap), (.72, ap), rounds=rounds)
    figure, = one(rounds_sections, study.runs).figures
    assert figure.series[0].x == [1, 3, 5] and figure.series[0].y == pytest.approx([70, 65, 60])
    assert one(rounds_sections, study.runs).text.startswith(
        'Faster R-CNN R18, VOC, detection, direct: highest with rounds of pruning 1 (70.00), '
        'lowest with 5 (60.00), dense 71.00.')


def test_allocations(study):
    for allocation, drop in (('layerwise', .2), ('global', .0)):
        for sparsity in (.5, .8):
            study.add((.70, .7 - drop * sparsity), allocation=allocation, sparsity=sparsity,
                      scope=sparsity)
    series = {s.label: s for s in one(allocation_sections, study.runs).figures[0].series}
    assert set(series) == {'global', 'layerwise'}
    assert series['layerwise'].y == pytest.approx([60, 54])
    assert one(allocation_sections, study.runs).text.startswith(
        'Faster R-CNN R18, VOC, detection, layerwise less global: -10.00 at 50 %, -16.00 at 80 % '
        'sparsity.')


def test_a_transferred_ticket_against_the_direct_one_that_prunes_no_less(study):
    for sparsity, ap in ((.2, .72), (.3, .71), (.6, .70), (.9, .4)):
        study.add((.70, ap), (.71, ap + .01), sparsity=sparsity, scope=sparsity, network=sparsity)
    for folder, network, aps in (('a', .304, (.68, .70)), ('b', .31, (.69, .69)),
                                 ('c', .95, (.1, .2))):     # sparser than any direct one
        study.add(*zip((.70, .71), aps), transfer=dict(source=f'{folder}.pth'), network=network)
    text = one(sparsity_sections, study.runs).text
    a, b = (text.index(f'Faster R-CNN R18, VOC, detection, ticket of {words} (')
            for words in ('a less direct: -2.50', 'b less direct: -1.50'))
    assert a < text.index(' at 30 % against 30 % network sparsity.') < b
    assert b < text.index(' at 31 % against 60 % network sparsity. p is corrected by Holm for 2 ')
    assert 'ticket of c less' not in text


def banded(scores, sparsity, floor, low, high):
    """An allocation with arguments, which nobody calls here."""


def test_allocations_with_commas_in_their_names(study):
    """One with two arguments, among tickets of two families."""
    for rounds in (1, 2):
        for allocation, ap in (('global', .6), (dict(type=banded, low=1, high=2), .5)):
            study.add((.70, ap), allocation=allocation, rounds=rounds)
            study.add((.70, ap), allocation=allocation, rounds=rounds, sparsity=.5, scope=.5)
    text = one(allocation_sections, study.runs).text
    assert text.startswith('Faster R-CNN R18, VOC, detection, banded(high=2, low=1), direct')
    assert text.count(' less global: -10.00 at 50 %, -10.00 at 80 % sparsity.') == 2


def test_trainings_that_differ_in_much_are_numbered(study):
    study.add((.70, .71))
    study.add((.70, .71), iters=10, data={**VOC, 'ann_file': 'a/long/name/of/another/file.txt',
                                          'metainfo': dict(classes=('a',))})
    assert [g.label for g in group_runs(study.runs)] == [
        'Faster R-CNN R18, VOC (training 1)', 'Faster R-CNN R18, VOC (training 2)']


@pytest.mark.parametrize('section', [rewinding_sections, rounds_sections, allocation_sections,
                                     layers_sections, early_bird_sections, backbone_sections,
                                     sparsity_sections])
def test_one_plain_lottery_gives_a_reason_and_no_crash(study, section):
    study.add((.70, .71))
    with pytest.raises(UserError):
        section(study.runs, None)


def test_two_settings_at_once_are_no_ablation(study):
    study.add((.70, .71), rounds=1, rewind=dict(to='0it'))
    study.add((.70, .71), rounds=3, rewind=dict(to='5it'))
    with pytest.raises(UserError):
        one(rounds_sections, study.runs)


def test_a_point_without_a_metric_is_left_out(study):
    study.add((.70, .7), rounds=1)
    study.add((.70, None), rounds=3)
    study.add((.70, float('nan')), rounds=5)
    figure, = one(rounds_sections, study.runs).figures
    assert figure.series[0].x == [1]


def test_unequal_seeds(study):
    study.add((.70, .7), (.72, .70), (.74, .70), rounds=1)
    study.add((.70, .6), rounds=3)
    figure, = one(rounds_sections, study.runs).figures
    assert figure.series[0].error == [pytest.approx(0, abs=1e-9), None]
    assert figure.references[0].y == pytest.approx(72)


def test_layers(study):
    for seed, zeros in ((0, 10), (1, 30)):
        study.add((.7, .7), seeds=[seed], sparsity=0.5, scope=0.5,
                  layers={'backbone.conv1.weight': (100, zeros), 'head.weight': (200, 180)})
    section = one(layers_sections, study.runs)
    line, = section.figures[0].series
    assert line.label == '50 % of the scope' and line.x == [1, 2]
    assert line.y == pytest.approx([20, 90])
    assert line.error == pytest.approx([3 * 2 ** 0.5 * 10, 0])
    assert [r['layer'] for r in section.rows] == ['backbone.conv1.weight', 'head.weight']


def test_a_damaged_sparsity_report_is_left_out(study):
    folder = study.add((.7, .7), layers={'a.weight': (100, 10)})
    (folder / 'round_1' / 'sparsity.json').write_text('{"network": 3}')
    with pytest.raises(UserError, match='sparsity.json'):
        one(layers_sections, study.runs)


def test_early_bird(study):
    for seed in (0, 1):
        folder = study.add((.70, .70 + .02 * seed), seeds=[seed], early_bird=dict(interval=50))
        write_curve(folder, [(50, .5 + .2 * seed, .11), (100, 1, .11)])
        study.add((.40, .60 + .04 * seed), seeds=[seed], dense_iterations=50,
                  early_bird=dict(interval=50, stop=dict(iou=.9, patience=1)))
    section = one(early_bird_sections, study.runs)
    assert section.text.startswith(
        'Faster R-CNN R18, VOC, detection, early birds of 80 % less the ticket drawn at the end: '
        '-9.00 (95 % interval ')
    assert ') at iteration 50 of the dense training. p is corrected by Holm for 1 ' in section.text
    figure, = section.figures
    assert points(figure.series[0]) == approx([(50, 62, 3 * 8 ** 0.5)])
    agreement, chance = figure.right
    assert [(x, y) for x, y, _ in points(agreement)] == approx([(50, .6), (100, 1)])
    assert chance.y == pytest.approx([.11, .11]) and figure.right_label == 'IoU'
    assert {r.label: r.y for r in figure.references} == {
        'dense': pytest.approx(70), 'ticket drawn at the end': pytest.approx(71)}


def test_the_overlap_of_the_pruned_is_drawn_where_a_curve_has_it(study):
    """Beside a curve of an older version."""
    for seed in (0, 1):
        folder = study.add((.70, .70), seeds=[seed], early_bird=dict(interval=50))
        write_curve(folder, [(50, .5, .11), (100, 1, .11)])
    path = folder / 'round_0/early_bird/curve.csv'
    heading, *lines = path.read_text().splitlines()
    path.write_text('\n'.join([f'{heading},iou_final_pruned,chance_pruned',
                               *(f'{line},{p},.67' for line, p in zip(lines, (.95, 1)))]))
    figure, = one(early_bird_sections, study.runs).figures
    found = {series.label: [(x, y) for x, y, _ in points(series)] for series in figure.right}
    assert found['IoU with the final mask'] == [(50, .5), (100, 1)]
    assert found['IoU of the pruned with the final mask'] == [(50, .95), (100, 1)]
    assert found['IoU of the pruned by chance'] == [(50, .67), (100, .67)]


def test_a_dense_training_that_was_cut_short_is_no_baseline(study):
    study.add((.70, .70))
    study.add((.40, .60), dense_iterations=50,
              early_bird=dict(interval=50, stop=dict(iou=.9, patience=1)))
    group, = group_runs(study.runs)
    assert group.dense(metric_of(MAP)) == {0: pytest.approx(70)}


def test_a_damaged_curve_is_left_out(study):
    folder = study.add((.70, .70), early_bird=dict(interval=50))
    write_curve(folder, [('x', 'y', 'z')])
    with pytest.raises(UserError, match='EarlyBirdHook'):
        one(early_bird_sections, study.runs)


def test_labels_say_what_is_unusual(study):
    for config in (dict(), dict(sparsity=.9), dict(rounds=3), dict(floor=.1, rounds=3)):
        study.add((.7, .7), **config)
    group, = group_runs(study.runs)
    labels = family_labels([[c] for c in group.cells], ['sparsity'])
    assert sorted(labels) == ['direct', 'direct', 'direct, rounds 3',
                              'direct, rounds 3, floor 0.1']


def test_early_birds_are_told_apart_by_when_they_stopped(study):
    for patience, at in ((1, 40), (2, 60)):
        study.add((.4, .7), dense_iterations=at,
                  early_bird=dict(interval=10, stop=dict(iou=.9, patience=patience)))
    group, = group_runs(study.runs)
    labels = family_labels([[c] for c in group.cells], ['sparsity'])
    assert labels == ['early-bird, stop iou=0.9+patience=1',
                      'early-bird, stop iou=0.9+patience=2']


def test_where_all_differ_each_is_told(study):
    """What the first of them has does not go without saying: Table 3's modules."""
    for scope in (['base'], ['top'], ['rpn']):
        study.add((.4, .7), scope_=scope)
    group, = group_runs(study.runs)
    assert labels_of(group.cells) == [
        'direct, scope base', 'direct, scope top', 'direct, scope rpn']
    study.add((.4, .7), scope_=['base'], rounds=2)
    group, = group_runs(study.runs)     # most have base, most have one round
    assert labels_of(group.cells) == [
        'direct', 'direct, scope top', 'direct, scope rpn', 'direct, rounds 2']


def test_the_stage_of_an_early_mask_is_in_its_label(study):
    for at in ('10%', '50%'):
        study.add((.4, .7), dense_iterations=10, early_bird=dict(interval=10, stop=dict(at=at)))
    group, = group_runs(study.runs)
    assert labels_of(group.cells) == ['early-bird at 10%', 'early-bird at 50%']


def test_models_stand_together_only_by_one_metric(study):
    """AP at an IoU of 0.50 and AP over several are no differences of one kind."""
    for model, metric in ((FASTER, MAP), (R50, MAP), (MASK, BOX),
                          (dict(MASK, type='CascadeRCNN'), BOX)):
        study.add((.70, .60), (.74, .65), metric=metric, model=model)
    section = one(backbone_sections, study.runs)
    assert [[series.label for series in figure.series] for figure in section.figures] == [
        ['Cascade R-CNN R18', 'Mask R-CNN R18'], ['Faster R-CNN R18', 'Faster R-CNN R50']]
    assert all(f'detection mAP (%), {name}, from' in figure.caption
               for name, figure in zip((BOX, MAP), section.figures))
    # Tables name the metrics where they differ, and only there.
    assert list(section.columns)[:3] == ['group', 'task', 'metric']
    assert {row['metric'] for row in section.rows} == {MAP, BOX}
    alone = one(verdict_sections, [run for run in study.runs if run.model.startswith('Faster')])
    assert 'metric' not in alone.columns
    both = one(verdict_sections, study.runs)
    assert both.columns['metric'] == 'metric, as evaluated'


def test_the_overview_repeats_findings_alone(study, tmp_path):
    """Of allocations at different sparsities nothing is found, so that nothing is told."""
    study.add((.70, .65), (.74, .70), sparsity=.8, scope=.8, allocation='layerwise')
    study.add((.70, .66), (.74, .69), sparsity=.5, scope=.5)
    found = find_runs([tmp_path])
    sections = [one(each, found.runs) for each in (allocation_sections, verdict_sections)]
    text = overview_section(found, sections, {}, []).text
    assert 'Which tickets win. By the corrected test' in text and 'Layerwise against' not in text
    study.add((.70, .67), (.74, .71), sparsity=.8, scope=.8)
    sections = [one(allocation_sections, study.runs)]
    assert 'Layerwise against global pruning. Faster R-CNN R18, VOC, detection, layerwise less' in (
        overview_section(found, sections, {}, []).text)
