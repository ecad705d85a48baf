"""Which networks are evaluated, and that each analysis is told or its reason."""
import pytest
from evaluated import precision, write_run
from written import BOX, FASTER, MAP, VOC, write_lottery

from mmlth.analysis.analyze import run_analyses, to_evaluate
from mmlth.analysis.compare.changes import remarks
from mmlth.analysis.found.runs import read_run
from mmlth.analysis.measure.evaluate import Evaluations
from mmlth.analysis.sections import BUILT_IN
from mmlth.report.guard import Guard

KINDS = dict(bbox=precision(0.3, dict(small=0.1, medium=0.2).items(),
                            dict(cat=0.2, dog=0.3).items()))


def test_only_what_is_shown_is_evaluated(tmp_path):
    def write(name, **settings):
        return write_run(tmp_path / name, KINDS, KINDS, **settings)
    direct = [write('a', sparsity=0.5), write('b', sparsity=0.8), write('c', seed=1)]
    other = [write('d', allocation='layerwise'), write('e', control='random_mask'),
             write('f', rounds=3)]
    alone = [write('g', control='random_mask', model=FASTER, data=VOC),
             write('h', control='random_mask', model=FASTER, data=VOC, seed=1)]
    chosen = to_evaluate([*other, *direct, *alone])
    assert {run.folder.name for run in chosen} == set('abcg')


@pytest.mark.parametrize('method, label', [
    (dict(rewind=dict(mode='lr')), 'learning rate rewinding'), (dict(allocation='erk'), 'erk'),
    (dict(score='snip'), 'snip score')])
def test_where_no_ticket_is_direct_the_largest_family_is_shown(tmp_path, method, label):
    """Beside its controls, fewer tickets of another method, and a model that prunes nothing."""
    runs = []
    for seed in (0, 1):
        for sparsity in (.5, .8):
            runs.append(write_run(
                tmp_path / f'{seed}_{sparsity}', KINDS, KINDS, seed=seed, sparsity=sparsity,
                counts=dict(cat=3, dog=1), layers={'a.weight': (100, int(100 * sparsity))},
                **method))
            runs[-1].rounds[0].metrics, runs[-1].rounds[1].metrics = (
                {BOX: .5 + .01 * seed}, {BOX: .48 - .1 * sparsity})
    others = [write_run(tmp_path / 'a', KINDS, KINDS, control='random_mask', **method),
              write_run(tmp_path / 'b', KINDS, KINDS, allocation='layerwise'),
              write_run(tmp_path / 'c', KINDS, KINDS, sparsity=0.0)]
    assert {run.name for run in to_evaluate([*others, *runs])} == {run.name for run in runs}
    evaluations, guard = Evaluations.of_runs(runs), Guard()
    sections = run_analyses([*others, *runs], evaluations, guard)
    assert guard.failed == {}
    found = {section.key: section for section in sections}
    assert {'sparsity', 'layers', 'sizes', 'frequency', 'difficulty'} <= set(found)
    line, = found['sparsity'].figures[0].series
    assert line.label == label and len(line.x) == 2


def test_every_analysis_has_a_section_or_a_reason(tmp_path):
    runs, guard = [write_run(tmp_path / 'a', KINDS, KINDS, counts=dict(cat=3, dog=1))], Guard()
    evaluations = Evaluations.of_runs(to_evaluate(runs))
    sections = run_analyses(runs, evaluations, guard)
    assert remarks(evaluations) == [] and guard.failed == {}
    assert [s.key for s in sections] == ['sizes', 'frequency', 'difficulty', 'training-cost']
    shown = {'object sizes', 'frequency of categories', 'difficulty of categories',
             'cost of the tickets'}
    assert set(guard.skipped) == set(BUILT_IN) - shown and all(guard.skipped.values())


def test_what_was_not_evaluated_is_said_once(tmp_path):
    folder, guard = tmp_path / 'a', Guard()
    write_lottery(folder, {MAP: 0.5}, {MAP: 0.4})       # without checkpoints
    runs = [read_run(folder)]
    evaluations = Evaluations.of_runs(to_evaluate(runs))
    remark, = remarks(evaluations)
    assert remark.startswith('Without sizes') and 'a: ' in remark and 'final.pth' in remark
    sections = run_analyses(runs, evaluations, guard)
    assert [s.key for s in sections] == ['verdict', 'training-cost']
    assert 'object sizes' in guard.skipped
