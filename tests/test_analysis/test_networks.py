"""Which networks are evaluated, and that each analysis is told or its reason."""
from evaluated import precision, write_run
from written import FASTER, MAP, VOC, write_lottery

from mmlth.analysis.found.runs import read_run
from mmlth.analysis.networks import network_sections, to_evaluate

KINDS = dict(bbox=precision(0.3, dict(small=0.1, medium=0.2).items(),
                            dict(cat=0.2, dog=0.3).items()))


def test_only_what_is_shown_is_evaluated(tmp_path):
    def write(name, **settings):
        return write_run(tmp_path / name, KINDS, KINDS, **settings)
    direct = [write('a', sparsity=0.5), write('b', sparsity=0.8), write('c', seed=1)]
    other = [write('d', allocation='layerwise'), write('e', control='random_mask'),
             write('f', rounds=3)]
    alone = [write('g', score='snip', model=FASTER, data=VOC),
             write('h', score='snip', model=FASTER, data=VOC, seed=1)]
    chosen = to_evaluate([*other, *direct, *alone])
    assert {run.folder.name for run in chosen} == set('abcg')


def test_every_analysis_has_a_section_or_a_reason(tmp_path):
    runs = [write_run(tmp_path / 'a', KINDS, KINDS, counts=dict(cat=3, dog=1))]
    sections, reasons, remarks = network_sections(runs, tmp_path / 'pictures', say=print)
    assert remarks == []
    assert [s.key for s in sections] == ['sizes', 'frequency', 'difficulty', 'training-cost']
    assert set(reasons) == {'overlap of tickets', 'sample images', 'cost of the networks'}
    assert all(reasons.values())


def test_what_was_not_evaluated_is_said_once(tmp_path):
    folder = tmp_path / 'a'
    write_lottery(folder, {MAP: 0.5}, {MAP: 0.4})       # without checkpoints
    sections, reasons, remarks = network_sections([read_run(folder)], tmp_path, say=print)
    remark, = remarks
    assert remark.startswith('Without sizes') and 'a: ' in remark and 'final.pth' in remark
    assert [s.key for s in sections] == ['training-cost'] and 'object sizes' in reasons
