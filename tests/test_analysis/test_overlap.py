"""Overlap of tickets: which are compared, and with what chance level."""
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from written import COCO, KEYPOINT, MASK, write_lottery

from mmlth.analysis.compare.pairs import compare_masks, shared_layers
from mmlth.analysis.found.runs import read_run
from mmlth.analysis.sections.overlap import overlap_sections
from mmlth.core import Ticket, paths
from mmlth.core.errors import UserError

STEM, BASE, HEAD = 'backbone.conv1.weight', 'backbone.layer1.0.conv1.weight', 'neck.x.weight'


def bits(text):
    return torch.tensor([c == '1' for c in text])


def write(folder, mask, **lottery):
    folder = write_lottery(Path(folder), {}, {}, **dict(dict(model=MASK, data=COCO), **lottery))
    rounds = lottery.get('rounds', 1)
    Ticket(mask).save(paths.round_dir(folder, rounds) / paths.TICKET)
    return read_run(folder)


def row_of(section, compared, **where):
    return next(r for r in section.rows if r['compared'] == compared
                and all(r[key] == value for key, value in where.items()))


def test_seeds(tmp_path):
    runs = [write(tmp_path / '0', {STEM: bits('1100'), BASE: bits('10')}, seed=0),
            write(tmp_path / '1', {STEM: bits('0110'), BASE: bits('10')}, seed=1)]
    parts, layers = overlap_sections(runs, None)
    whole = row_of(parts, 'seeds', part='all shared layers')
    assert whole['iou'] == pytest.approx(2 / 4) and whole['weights'] == 6
    assert whole['chance'] == pytest.approx(0.5 / 1.5)      # both have density 1/2
    # In each layer too: 1/4 of 4 and of 2 in both, 3/4 in either.
    assert whole['chance_layers'] == pytest.approx(1.5 / 4.5)
    assert row_of(parts, 'seeds', part='stem')['iou'] == pytest.approx(1 / 3)
    assert row_of(layers, 'seeds', layer=BASE)['iou'] == 1
    figure, = layers.figures
    assert figure.kind == 'lines' and figure.series[0].y == pytest.approx([1 / 3, 1])
    assert [s.label for s in parts.figures[0].series] == ['80 % sparsity',
                                                          'chance, 80 % sparsity']
    assert ('Tickets drawn with different seeds: +0.167 above chance layer by layer (IoU 0.500: '
            'Mask R-CNN R18, COCO, 80 % sparsity).') in parts.text


def test_the_column_that_counts_is_named(tmp_path):
    """It was called the last one, which it no longer is."""
    for seed in (0, 1):
        write(tmp_path / f'{seed}', {'a.weight': bits('1100')}, seed=seed)
    section = overlap_sections([read_run(tmp_path / f'{seed}') for seed in (0, 1)], None)[0]
    assert f'the column "{section.columns["chance_layers"]}", and the figures, take' in section.text


def test_masks_that_have_moved_are_compared_as_they_are_at_the_end(tmp_path):
    runs = [write(tmp_path / str(seed), {STEM: bits('1100')}, seed=seed) for seed in (0, 1)]
    Ticket({STEM: bits('0110')}).save(tmp_path / '1/round_1' / paths.FINAL_MASK)
    whole = row_of(overlap_sections(runs, None)[0], 'seeds', part='all shared layers')
    assert whole['iou'] == pytest.approx(1 / 3)


def test_rounds(tmp_path):
    runs = [write(tmp_path / 'once', {STEM: bits('1100')}, rounds=1),
            write(tmp_path / 'thrice', {STEM: bits('0101')}, rounds=3)]
    row = row_of(overlap_sections(runs, None)[0], 'rounds', part='stem')
    assert row['iou'] == pytest.approx(1 / 3) and '1 and 3 rounds' in row['tickets']


def test_tasks_compare_layers_of_one_name_and_shape_and_name_the_others(tmp_path):
    runs = [write(tmp_path / 'a', {STEM: bits('1100'), BASE: bits('11'), HEAD: bits('1')}),
            write(tmp_path / 'b', {STEM: bits('1010'), BASE: bits('111'),
                                   'roi_head.k.weight': bits('1')}, model=KEYPOINT)]
    parts, layers = overlap_sections(runs, None)
    assert row_of(parts, 'tasks', part='all shared layers')['weights'] == 4
    assert [r['layer'] for r in layers.rows] == [STEM]
    assert all(name in parts.text for name in (BASE, HEAD, 'roi_head.k.weight'))


def test_figures_of_the_farthest_above_chance(tmp_path):
    runs = []
    for depth, other in ((18, '1100'), (34, '1010'), (50, '0110'), (101, '0011'), (152, '1001')):
        model = dict(MASK, backbone=dict(type='ResNet', depth=depth))
        runs += [write(tmp_path / f'{depth}_{seed}', {STEM: bits(mask)}, seed=seed, model=model)
                 for seed, mask in ((0, '1100'), (1, other))]
    parts, layers = overlap_sections(runs, None)
    seeds = [f.key for f in parts.figures if f.key.startswith('overlap-seeds')]
    assert len(seeds) == 4 and not any('r101' in key for key in seeds)     # nothing in common
    assert sum(row['compared'] == 'seeds' for row in parts.rows) == 10     # all are in the table
    assert len(layers.figures) == len(parts.figures)


def test_nothing_to_compare(tmp_path):
    with pytest.raises(UserError, match='no two tickets'):
        overlap_sections([write(tmp_path / 'a', {STEM: bits('1')})], None)
    runs = [write(tmp_path / 'b', {STEM: bits('1')}), write(tmp_path / 'c', {STEM: bits('1')},
                                                           seed=1)]
    runs[0].ticket.ticket.unlink()      # not copied with the rest
    with pytest.raises(UserError, match='no two tickets'):
        overlap_sections(runs, None)


def test_random_masks_have_the_chance_level_of_their_layers():
    """Densities that differ by layer alone make the whole look alike."""
    torch.manual_seed(0)
    shapes = {STEM: (40000, 0.9), BASE: (60000, 0.1)}
    a, b = ({name: torch.rand(size) < density for name, (size, density) in shapes.items()}
            for _ in range(2))
    iou, chance, by_layer, *_ = compare_masks(a, b)['all shared layers']
    assert iou == pytest.approx(by_layer, rel=0.03) and iou > 1.2 * chance


masks = st.lists(st.booleans(), min_size=1, max_size=20)


@given(masks, masks)
def test_a_mask_agrees_with_itself_and_numbers_are_symmetric(one, other):
    a, b = {STEM: torch.tensor(one)}, {STEM: torch.tensor(other)}
    assert compare_masks(a, a)['stem'][0] == 1
    assert shared_layers(a, b) == ([STEM] if len(one) == len(other) else [])
    if len(one) == len(other):
        forth, back = compare_masks(a, b)['stem'], compare_masks(b, a)['stem']
        assert forth[:3] == pytest.approx(back[:3]) and 0 <= forth[0] <= 1
        assert forth[3:] == back[:2:-1]
