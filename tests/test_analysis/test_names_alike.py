"""Names that are alike: of data, settings and folders."""
from pathlib import Path

import pytest
from written import FASTER, MAP, VOC, write_lottery

from mmlth.analysis.analyze import run_analyses
from mmlth.analysis.compare.gaps import unmeasured
from mmlth.analysis.compare.groups import group_runs
from mmlth.analysis.found.children import find_children
from mmlth.analysis.found.names import names_apart
from mmlth.analysis.found.runs import find_runs, read_run
from mmlth.analysis.measure.evaluate import Evaluations
from mmlth.core import paths
from mmlth.core.files import write_json
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


def same_folders(root, seeds=(0, 1), **lottery):
    """Lotteries of one folder name in different parents."""
    return [write_lottery(root / f'seed{seed}' / 'prune80', {MAP: .7}, {MAP: .69}, seed=seed,
                          **lottery) for seed in seeds]


def test_folders_of_one_name_are_told_by_their_parents(tmp_path):
    folders = same_folders(tmp_path)
    write_lottery(tmp_path / 'seed9' / 'prune80', {MAP: .7}, {}, done=False)
    write_lottery(tmp_path / 'a', {MAP: .7}, {MAP: float('nan')}, seed=3)
    write_lottery(tmp_path / 'b' / 'a', {MAP: .7}, {MAP: .7}, seed=3)
    found = find_runs([*folders, tmp_path / 'seed9' / 'prune80', tmp_path / 'a',
                       tmp_path / 'b' / 'a'])
    root = tmp_path.name
    assert [run.name for run in found.runs] == ['seed0/prune80', 'seed1/prune80', f'{root}/a']
    assert {**found.left_out, 'seed9/prune80': ''} == {
        'seed9/prune80': '', 'b/a': f'the same lottery as {root}/a, which counts once'}
    assert list(unmeasured(group_runs(found.runs))) == [f'the ticket of {root}/a']
    files = [folder / 'round_1' / 'final.pth' for folder in folders]
    for file in files:
        file.parent.mkdir()
        file.touch()
    children, _ = find_children(files)
    assert [child.name for child in children] == ['seed0/prune80', 'seed1/prune80']


def test_names_in_studies_of_one_name():
    names = {Path(f'/{root}/runs/x'): 'study/x' for root in 'ab'}
    names[Path('/c/a/runs/x')] = 'a/runs/x'
    assert list(names_apart(names).values()) == ['/a/runs/x', 'b/runs/x', 'c/a/runs/x']


def test_what_is_missing_of_one_is_not_missing_of_the_other(tmp_path):
    """Whether or not they were read together."""
    folders = same_folders(tmp_path)
    for index in (0, 1):
        write_json(paths.round_dir(folders[1], index) / paths.EVALUATION, dict(
            version=1, weights='x', loop='val', precision={}, flops=None, training_counts=None,
            examples=[]))
    for runs in (find_runs(folders).runs, [read_run(folder) for folder in folders]):
        found = Evaluations.of_runs(runs, say=print)
        assert found.get(runs[1].ticket) and found.get(runs[1].dense)
        assert len(found.problems) == 1 and found.get(runs[0].ticket) is None


def test_all_metrics_that_a_run_lacks_are_named(tmp_path):
    both = ['coco/bbox_mAP', 'coco/segm_mAP']
    write_lottery(tmp_path / 'a', dict.fromkeys(both, .5), {both[0]: -1.0})
    assert unmeasured(group_runs(find_runs([tmp_path / 'a']).runs)) == {
        'the ticket of a': 'coco/bbox_mAP is -1: there is nothing to find and coco/segm_mAP was '
        'not measured'}
