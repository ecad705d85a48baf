"""The studies of the paper's tables and figures, their digits twins, and photographs."""
from functools import lru_cache
from pathlib import Path

import pytest

from mmlth.core import select
from mmlth.core.errors import UserError
from mmlth.engine import PruneHook
from mmlth.engine.chain.preflight import check_config
from mmlth.engine.hook_configs import find_hook
from mmlth.engine.preview import build_model
from mmlth.studies import load_study
from mmlth.studies.dense import dense_name
from mmlth.studies.jobs import plan
from mmlth.studies.one import dense_points

STUDIES = Path(__file__).parents[2] / 'configs/lth/studies'
ITEMS = ['fig1', 'fig2a', 'fig2b', 'fig2c', 'fig2d', 'fig2e', 'fig2f', 'fig3', 'fig4', 'fig5',
         'table1', 'table2', 'table3', 'table4']
PHOTOGRAPHS = ['bccd', 'coco_person', 'voc_small']


@lru_cache(None)
def shipped(name):
    return load_study(str(STUDIES / f'{name}.py'))


@pytest.mark.parametrize('name', [
    *(f'{item}{twin}' for twin in ('', '_digits') for item in ITEMS), 'methods_digits',
    'scratch_digits', 'tickets_digits', 'connectivity_digits', *PHOTOGRAPHS])
def test_every_run_passes_the_preflight(name, tmp_path):
    """All that may be missing is the data, and the classifier that digits begin with."""
    study, item = shipped(name), name.removesuffix('_digits')
    assert study.paper.replace('.', '').replace(' ', '').lower() == (item if item in ITEMS else '')
    assert all(run.metrics for run in study.runs)
    assert all(job.steps > 0 for job in plan(study, tmp_path))
    for run in study.all_runs:
        if run.seed > min(run.seed for run in study.runs):      # nothing else is new in it
            continue
        cfg = run.located(tmp_path)
        cfg.resume = True
        try:
            check_config(cfg)
        except UserError as error:
            assert ('the data set is not there' in str(error)
                    or 'work_dirs/resnet18_digit_crops_prune80/round_0/final.pth' in str(error))


def test_nothing_else_is_shipped():
    found = {path.stem.removesuffix('_digits') for path in STUDIES.glob('*.py')}
    assert found == {*ITEMS, *PHOTOGRAPHS, 'tickets', 'scratch', 'allocation_compute',
                     'methods', 'connectivity'}


def test_sixteen_combinations_of_modules():
    study = shipped('table3')
    runs = [run for run in study.runs if run.seed == 0]
    assert len(runs) == 15      # without any module nothing is pruned: the dense model
    scopes = {tuple(run.parts['modules']['scope']) for run in runs}
    assert ('base', 'top', 'rpn', 'head') in scopes and len(scopes) == 15
    assert len({dense_name(run.cfg) for run in runs}) == 1
    assert len(study.runs) == 15 * 5


def test_the_twins_have_the_modules_that_they_prune():
    study = shipped('table3_digits')
    model = build_model(study.runs[0].cfg)
    scopes = [run.parts['modules']['scope'] for run in study.runs if 'modules' in run.parts]
    assert scopes and all(select(model, scope) for scope in scopes)


@pytest.mark.parametrize('twin', ['', '_digits'])
def test_studies_share_their_dense_trainings(twin):
    """In one work dir, each model and seed is trained dense once."""
    kept = {}
    for item in ITEMS:
        study = shipped(f'{item}{twin}')
        for run in {run.dense: run for run in study.runs if run.spec.shares_dense}.values():
            kept.setdefault(run.dense, set()).add(tuple(dense_points(study, run)))
    assert all(len(points) == 1 for points in kept.values()), kept


def test_a_transferred_ticket_replaces_what_draws_masks():
    study = shipped('fig2a_digits')
    run = next(run for run in study.runs if 'crops80' in run.sources)
    prune = find_hook(run.cfg, PruneHook)
    assert set(prune) == {'type', 'transfer'}
    assert run.sources['crops80'].base == 'resnet18_digit_crops_prune80'
    direct = next(run for run in study.runs if not run.sources)
    assert dense_name(direct.cfg) == dense_name(run.cfg)


def test_siblings_at_each_rewind_point():
    """Two children of each point, of the same mask, dense and pruned; no dense training more."""
    study = shipped('connectivity_digits')
    assert len(study.runs) == 48 and {run.dense for run in study.runs} == {
        run.dense for run in shipped('fig2b_digits').runs}
    children = {}
    for run in study.runs:
        spec = run.spec
        children.setdefault((run.seed, spec.rewind.to, spec.prune.sparsities), []).append(
            spec.rewind.noise)
        assert spec.rewind.resumes and dense_points(study, run) == dense_points(
            shipped('fig2b_digits'), shipped('fig2b_digits').runs[0])
    assert len(children) == 24 and all(noises == [1, 2] for noises in children.values())


def test_methods_at_equal_cost():
    """Those that train once need no dense model; the others share it."""
    study, alone = shipped('methods_digits'), {'snip', 'gradual', 'dynamic'}
    assert len(study.runs) == 3 * 17 and len({run.dense for run in study.runs}) == 3
    for run in study.runs:
        assert run.spec.shares_dense != bool(alone & set(run.parts))
        assert run.spec.prune.dense is run.spec.shares_dense
    todo = plan(study, Path('nowhere'))
    assert sum(job.trainings for job in todo) == 3 * (1 + 13 + 8)
