"""What the analysis of a study measures is measured by jobs, in their processes."""
import json

import pytest
from toy_study import run_tool, write_study

from mmlth.analysis.measure.predictions import tells_categories
from mmlth.core import paths
from mmlth.engine.config import load_config
from mmlth.studies.evaluation import evaluation_jobs
from mmlth.studies.load import load_study
from test_analysis.small_lottery import small_config, small_digits


@pytest.mark.slow
def test_models_are_evaluated_where_they_are_trained(tmp_path, monkeypatch, capfd):
    base = small_config(small_digits(tmp_path / 'digits'), 'unused')
    base.pop('work_dir')
    base.dump(tmp_path / 'base.py')
    path = write_study(tmp_path, dict(direct=dict(sparsity=[0.5, 0.8])), metric='coco/bbox_mAP')
    assert run_tool(monkeypatch, path, '--work-dir', tmp_path, '--jobs', 2) == 0
    shown = capfd.readouterr().out
    study = load_study(path)
    first, second = (run.name for run in study.runs)
    assert f'evaluation/{first}: started' in shown and f'evaluation/{second}: started' in shown
    assert 'is evaluated' not in shown      # by this process

    logs = [(tmp_path / 'runs' / name / 'output.log').read_text() for name in (first, second)]
    assert [f'round {n}: is evaluated' in log for log in logs for n in (0, 1)] == [
        True, True, False, True]        # the dense model once
    for name in (first, second):
        kept = json.loads((tmp_path / 'runs' / name / 'round_1' / paths.EVALUATION).read_text())
        assert kept['precision']['bbox']['categories']
    assert '## Sample images' in (tmp_path / 'study/analysis/report.md').read_text()
    assert evaluation_jobs(study, tmp_path) == []

    # What is lost is evaluated again, and nothing else.
    (tmp_path / 'runs' / second / 'round_1' / paths.EVALUATION).unlink()
    jobs = evaluation_jobs(study, tmp_path)
    assert [(job.run.name, job.rounds) for job in jobs] == [(second, [1])]
    assert jobs[0].command(str(path), tmp_path)[-4:] == ['evaluation', second, 'none', '1']


@pytest.mark.parametrize('evaluator, told', [
    (dict(type='CocoMetric'), True), (dict(type='mmpose.CocoMetric'), True),
    ([dict(type='ToyMetric'), dict(type='VOCMetric')], True),
    (dict(metrics=[dict(type='CocoMetric')]), True),
    (dict(type='LVISMetric'), False), (dict(type='CityScapesMetric'), False),
    (dict(type='NoSuchMetric'), False), (None, False)])
def test_which_metrics_tell_categories(evaluator, told):
    cfg = load_config('configs/lth/faster_rcnn_r18_digits.py')
    cfg.val_evaluator = evaluator
    assert tells_categories(cfg) is told
