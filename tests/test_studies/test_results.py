"""What a study ends in: its table, what is in none of the means, its analysis."""
import csv
import math
import re

import pytest
from toy_study import finish, run_tool, write_study

from mmlth.registry import ANALYSES
from mmlth.studies import load_study
from mmlth.studies.means import summarise, to_markdown
from mmlth.studies.results import collect, write_results

NAN = float('nan')


def toy(value, **more):
    return {'toy/AP': value, **more}


def test_a_metric_that_is_no_number_is_in_no_mean(tmp_path):
    """It came to a traceback, and to no results at every further start."""
    study = load_study(str(write_study(tmp_path, dict(a=dict(sparsity=[0.8, 0.9])), seeds=[0, 1])))
    finish(study, tmp_path, (toy(70.0), toy(69.0)), (toy(70.0), toy(NAN)),
           (toy(71.0), toy(math.inf)), (toy(71.0), toy(60.0)))
    text = write_results(study, tmp_path)
    assert 'nan |' not in text and '| 70.5000 ± 0.7071 | 69.0000 | -1.0000 |' in text
    assert '| 70.5000 ± 0.7071 | 60.0000 | -11.0000 |' in text
    names = [run.name for run in study.runs]
    assert (f'Not in any mean: toy/AP is nan (the ticket of {names[1]}); toy/AP is inf (the ticket '
            f'of {names[2]}).') in text
    rows = list(csv.DictReader((tmp_path / 'study/results.csv').open()))
    assert [row['ticket'] for row in rows] == ['69.0', '', '', '60.0']
    assert [row['change'] for row in rows] == ['-1.0', '', '', '-11.0']


def test_each_run_has_the_dense_model_of_its_own_lottery(tmp_path):
    """Where they share none: that of the last one was taken for all of a seed."""
    study = load_study(str(write_study(tmp_path, dict(a=dict(sparsity=[0.8, 0.9])))))
    finish(study, tmp_path, (toy(30.0), toy(29.0)), (toy(34.0), toy(33.0)))
    rows = collect(study, tmp_path)
    assert [(row['dense'], row['change']) for row in rows] == [(30.0, -1.0), (34.0, -1.0)]
    text = write_results(study, tmp_path)
    assert text.count('| -1.0000 |') == 2
    assert 'Dense models of one seed differ (' in text and 'by up to 4)' in text


@pytest.mark.parametrize('name', ['coco/keypoints_mAP', 'coco/bbox_mAP_s', 'coco/AR (M)'])
def test_where_there_is_nothing_to_find(tmp_path, name):
    study = load_study(str(write_study(tmp_path, dict(a=dict(sparsity=[0.8])), metric=name)))
    finish(study, tmp_path, ({name: -1.0}, {name: -1.0}))
    row, = collect(study, tmp_path)
    assert row['dense'] is row['ticket'] is row['change'] is None
    run, = study.runs
    assert (f'Not in any mean: {name} is -1: there is nothing to find (the dense model of '
            f'{run.name}, the ticket of {run.name}).') in write_results(study, tmp_path)


def test_equal_numbers_of_different_runs_are_two_comparisons():
    """Of a dense model trained on for no iterations, say; the same runs in two parts are one."""
    rows = [dict(part=part, run=f'{run}_{seed}', settings=dict(rounds=run), metric='toy/AP',
                 seed=seed, scope_sparsity=0.8, network_sparsity=0.7, compute_sparsity=None,
                 dense=50.0, ticket=50.0 + change, change=change, iterations=10, minutes=1.0,
                 from_start=14, chain=22)
            for part, run in (('a', 'one'), ('b', 'one'), ('a', 'two'))
            for seed, change in enumerate((1.0, 2.0, 3.0))]
    groups = summarise(rows)
    assert [group['p_corrected'] for group in groups] == pytest.approx([2 * groups[0]['p']] * 3)
    assert 'by Holm for the 2 comparisons of this table' in to_markdown(groups)


def test_the_tool_tells_what_its_analysis_lacks(tmp_path, monkeypatch, capsys):
    """Without a metric that is there, the report is; what fails in it is no success."""
    path = write_study(tmp_path, dict(a=dict(sparsity=[0.8])), metric=['toy/APP'])
    finish(load_study(str(path)), tmp_path, (toy(70.0), toy(69.0, loss=0.5)))
    monkeypatch.setitem(ANALYSES.module_dict, 'bad', lambda runs, evaluations: 1 / 0)
    code = run_tool(monkeypatch, path, '--work-dir', tmp_path)
    text = capsys.readouterr().out
    assert 'Left out, for it failed: bad (ZeroDivisionError' in code
    assert "No finished run has the metric 'toy/APP'; their evaluators give: toy/AP, loss." in text
    assert f'results.csv and analysis/report.html: {tmp_path / "study"}' in text
    assert (tmp_path / 'study/analysis/report.html').is_file()
    # An earlier page is no report of this run.
    (tmp_path / 'study/analysis/report_files.json').unlink()
    code = run_tool(monkeypatch, path, '--work-dir', tmp_path)
    assert code.startswith('Error: no analysis: ')
    assert f'1 of 1 runs are finished; results.csv: {tmp_path / "study"}' in capsys.readouterr().out


def test_no_setting_breaks_its_row(tmp_path):
    study = load_study(str(write_study(tmp_path, {'a|b': dict(
        scope=[dict(include=['backbone|head'])])})))
    finish(study, tmp_path, (toy(70.0), toy(69.0)))
    *_, headings, _, row = to_markdown(summarise(collect(study, tmp_path))).splitlines()
    assert row.startswith(r'| a\|b | scope ') and r'backbone\|head' in row
    assert len(re.findall(r'(?<!\\)\|', row)) == headings.count('|') == 17


def test_means_of_what_differs_between_seeds():
    """Lengths were the first seed's; the change was one pair's beside the interval of all."""
    def row(seed, dense, ticket, iterations):
        return dict(part='a', run=f'a_{seed}', settings={}, metric='toy/AP', seed=seed,
                    scope_sparsity=0.8, network_sparsity=0.7, compute_sparsity=None, dense=dense,
                    ticket=ticket, change=None if None in (dense, ticket) else ticket - dense,
                    iterations=iterations, minutes=1.0, from_start=iterations,
                    chain=None if seed == 2 else iterations)
    group, = summarise([row(0, 50.0, None, 100), row(1, 52.0, 47.0, 40), row(2, None, 45.0, 61),
                        row(3, None, 43.0, 60)])
    assert (group['iterations'], group['from_start'], group['chain']) == (65, 65, None)
    low, high = group['interval']       # Welch's: only seed 1 has both
    assert group['change_mean'] == pytest.approx(-6.0) == pytest.approx((low + high) / 2)
    assert group['change_std'] == pytest.approx((2 + 4) ** 0.5)
    assert '| -6.0000 ± 2.4495 | ' in to_markdown([group])
