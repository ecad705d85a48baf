"""Names that are alike: of data, settings and folders."""
import pytest
from written import FASTER, MAP, VOC, write_lottery

from mmlth.analysis.analyze import run_analyses
from mmlth.analysis.found.runs import find_runs
from mmlth.analysis.measure.evaluate import Evaluations
from mmlth.report.guard import Guard


def frozen(stages):
    return dict(model=dict(FASTER, backbone=dict(type='ResNet', depth=18, frozen_stages=stages)))


def data(folder):
    return dict(data=dict(VOC, data_root=f'data/{folder}/'))


@pytest.mark.parametrize('kinds', [
    [data('größe')], [data('图片')], [data('my_data'), data('my-data')], [frozen(-1), frozen(1)]])
def test_no_section_is_lost_for_a_name(tmp_path, kinds):
    for number, kind in enumerate(kinds):
        for seed, dense in enumerate((.70, .72)):
            for sparsity in (.5, .8):
                write_lottery(tmp_path / 'runs' / f'{number}_{seed}_{sparsity}', {MAP: dense},
                              {MAP: dense - .01}, seed=seed, sparsity=sparsity, scope=sparsity,
                              network=sparsity, **kind)
    guard = Guard()
    sections = run_analyses(find_runs([tmp_path]).runs, Evaluations(say=print), guard)
    assert guard.failed == {}
    figures = {section.key: len(section.figures) for section in sections}
    assert figures['verdict'] == figures['sparsity'] == len(kinds)
