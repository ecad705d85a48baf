"""The paper's tables agree with themselves, and rows are found."""
import pytest

from mmlth.paper import ROWS, find


def test_every_row_is_there():
    assert [len(find(table=n)) for n in (1, 2, 3, 4)] == [16, 12, 16, 6]
    assert len(set(ROWS)) == len(ROWS) == 50


def test_rows_are_found():
    row, = find(table=1, task='detection', dataset='voc', prune=80)
    assert (row.network_sparsity, row.map, row.std, row.ap50) == (70.66, 65.82, 0.23, None)
    row, = find(table=3, modules=['rpn', 'base'])
    assert (row.network_sparsity, row.map, row.param_percent) == (25.31, 69.39, 31.64)
    row, = find(table=4, task='keypoint', source='detection')
    assert (row.network_sparsity, row.map, row.ap50) == (76.98, 58.31, 81.53)
    assert find(table=2, prune=50) == []
    with pytest.raises(TypeError, match='has no sparsity; its fields are table, task'):
        find(sparsity=80)


@pytest.mark.parametrize('table', [1, 2])
def test_sparsities_are_in_proportion_to_what_is_pruned(table):
    """A mistyped number would show: the share of the backbone is one number per model."""
    for task, dataset in (('detection', 'coco'), ('segmentation', 'coco'), ('keypoint', 'coco'),
                          ('detection', 'voc')):
        rows = find(table=table, task=task, dataset=dataset)
        share = rows[0].network_sparsity / rows[0].prune
        for row in rows:
            assert row.network_sparsity == pytest.approx(share * row.prune, abs=0.02)
        assert [row.map for row in rows] == sorted(row.map for row in rows) or dataset == 'voc'
    assert {r.ap50 for r in find(table=table, dataset='voc')} == {None}
    assert {r.std for r in find(table=table, dataset='coco')} == {None}


def test_modules_add_up():
    single = {name: find(table=3, modules=[name])[0].param_percent
              for name in ('base', 'top', 'rpn', 'head')}
    for row in find(table=3):
        assert row.param_percent == pytest.approx(sum(single[m] for m in row.modules), abs=0.02)
        assert row.network_sparsity == pytest.approx(0.8 * row.param_percent, abs=0.01)
