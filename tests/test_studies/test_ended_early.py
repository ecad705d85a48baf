"""A study whose dense trainings are ended by a hook."""
import json

import pytest
from toy_study import write_base, write_study

from mmlth.core.errors import UserError
from mmlth.studies import load_study
from mmlth.studies.means import summarise, to_markdown
from mmlth.studies.one import run_dense, run_one
from mmlth.studies.results import collect

STOPPING = dict(type='EarlyStoppingHook', monitor='toy/AP', rule='greater', min_delta=100.,
                patience=1)


def study_of(tmp_path, to):
    write_base(tmp_path, by_epoch=True, iters=40, custom_hooks=[STOPPING])
    return load_study(str(write_study(tmp_path, dict(a=dict(to=to, schedule=['resume'])))))


def test_a_shared_training_that_was_ended_is_taken_over_at_its_end(tmp_path):
    study = study_of(tmp_path, ['1ep'])
    run, = study.runs
    run_dense(study, tmp_path, run.name)
    run_one(study, tmp_path, run.name)
    shared = json.loads(next(tmp_path.glob('dense/*/dense.json')).read_text())
    lottery = json.loads((tmp_path / 'runs' / run.name / 'lottery.json').read_text())
    first = lottery['rounds'][0]
    assert (first['iterations'], first['ended_by']) == (8, 'EarlyStoppingHook')
    assert shared['iterations'] == 8 and shared['metrics'] == first['metrics']
    row, = collect(study, tmp_path)
    assert row['dense'] is None and row['change'] is None and row['ticket'] is not None
    # Resumed after one epoch of four iterations, ended by the same hook an epoch or more later.
    assert row['from_start'] == lottery['rounds'][1]['iterations'] == row['iterations'] + 4
    assert row['chain'] == 8 + row['iterations']
    assert f"| {row['iterations']} | {row['from_start']} | {row['chain']} |" in to_markdown(
        summarise([row]))


def test_a_rewind_point_behind_the_end_is_named(tmp_path):
    study = study_of(tmp_path, ['1ep', '5ep'])
    with pytest.raises(UserError, match="EarlyStoppingHook ended the dense training .* after 8 "
                                        "iterations, before it came to the rewind point '5ep'"):
        run_dense(study, tmp_path, study.runs[0].name)
