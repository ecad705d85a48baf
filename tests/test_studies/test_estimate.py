"""What jobs will take: by the trainings that ended last, their length, what they wait for."""
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_study import write_base, write_study

from mmlth.core.files import write_json, write_text
from mmlth.engine.chain.same_training import plain_config
from mmlth.studies import load_study
from mmlth.studies.disk import Disk
from mmlth.studies.estimate import Estimate, Taken, earlier
from mmlth.studies.jobs import Job, plan
from mmlth.studies.preview import dry_run
from mmlth.studies.progress import Progress
from mmlth.studies.steps import planned_steps, trained_steps
from mmlth.studies.times import add_session, known_overhead, read_sessions, sessions_text


def job(name, needs=(), steps=1.0, base='toy', network='', **more):
    run = SimpleNamespace(base=base, name=name, network=network)
    return Job(name, None, run, list(needs), steps=steps, **more)


def test_a_training_that_was_held_up_says_nothing_of_the_next():
    estimate = Estimate([Taken('toy', 100, 1, seconds) for seconds in (50, 52, 2465, 54, 51)])
    assert estimate.seconds(job('a', steps=200)) == pytest.approx(2 * 52)
    # Of those that ended last: the machine has become slower.
    for _ in range(3):
        estimate.learn(job('b', steps=300, trainings=3), 600)
    assert estimate.seconds(job('a', steps=200)) == pytest.approx(2 * 200)


def test_an_unknown_base_is_taken_to_train_as_long_as_others():
    estimate = Estimate([Taken('toy', 100, 1, 50)])
    other = job('a', steps=12, base='epochs', trainings=2)
    assert estimate.seconds(other) == 100 and not estimate.knows(other)
    assert Estimate().seconds(other) is None and Estimate().left([other], 1, 0) is None


def test_a_deeper_network_of_the_same_base_is_not_as_fast():
    estimate = Estimate([Taken('toy', 100, 1, 50, 'shallow')])
    deep = job('a', steps=100, network='deep')
    # Until one has ended nothing better is known, which is told.
    assert estimate.seconds(deep) == 50 and estimate.guesses(deep)
    estimate.learn(deep, 90)
    assert estimate.seconds(deep) == 90 and not estimate.guesses(deep)
    shallow = job('b', steps=100, network='shallow')
    assert estimate.seconds(shallow) == 50 and not estimate.guesses(shallow)


def test_what_is_left_goes_by_places_and_by_what_is_waited_for():
    estimate = Estimate([Taken('toy', 1, 1, 60)])
    dense = job('dense')
    jobs = [dense, job('a', [dense]), job('b', [dense], steps=3), job('c')]
    # dense and c, then a and b side by side.
    assert estimate.left(jobs, 2, 0) == 240
    assert estimate.left(jobs, 1, 0) == 360
    assert estimate.left(jobs, None, 0) == 240
    dense.status, dense.began = 'running', 1000
    # c beside it, then a behind it, b behind c; and the same behind one that is late.
    assert estimate.left(jobs, 2, 1020) == 60 + 180 == estimate.left(jobs, 2, 9999)
    assert estimate.left(jobs, 3, 1020) == 40 + 180
    for one in jobs:
        one.status = 'done'
    jobs[2].status = 'failed'
    assert estimate.left(jobs, 2, 0) == 0


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 4))
def test_places_are_never_idle_while_jobs_wait(steps, places):
    """Independent jobs: not less than their share, not more than that and one job."""
    jobs = [job(str(i), steps=n) for i, n in enumerate(steps)]
    left = Estimate([Taken('toy', 1, 1, 1)]).left(jobs, places, 0)
    assert max(sum(steps) / places, max(steps)) <= left <= sum(steps) / places + max(steps)


@pytest.mark.parametrize('axes, expected', [
    (dict(to=['25%']), [12, 12]), (dict(to=['25%'], schedule=['resume']), [12, 9]),
    (dict(to=['2it'], schedule=['resume'], rounds=[2]), [12, 10, 10]),
    (dict(mode=['finetune'], length=['50%']), [12, 6]),
    (dict(control=['dense'], to=['6it'], schedule=['resume']), [12, 6])])
def test_steps_are_told_before_and_after(tmp_path, axes, expected):
    run, = load_study(str(write_study(tmp_path, dict(a=axes)))).runs
    assert planned_steps(run) == expected
    settings = {key: values[0] for key, values in axes.items()}
    spec = {key: settings[key] for key in ('control', 'rounds') if key in settings}
    hooks = dict(prune=dict(type='mmlth.PruneHook', **spec), rewind=dict(
        type='mmlth.RewindHook', **{k: v for k, v in settings.items() if k not in spec}))
    trained = [dict(round=index, status='done', iterations=steps, planned_iterations=steps)
               for index, steps in enumerate(
                   [12] * len(expected) if 'length' not in axes else expected)]
    assert trained_steps(dict(config=dict(
        default_hooks=hooks, train_cfg=dict(max_iters=12)), rounds=trained)) == expected


@pytest.mark.parametrize('stop, dense', [
    (dict(at='50%'), 6), (dict(at='3it'), 3), (dict(at='1ep'), 12),
    (dict(iou=0.9, patience=2), 12)])
def test_a_dense_training_that_will_be_stopped_is_as_short(tmp_path, stop, dense):
    hook = dict(type='mmlth.EarlyBirdHook', interval=2, stop=stop)
    run, = load_study(str(write_study(tmp_path, dict(
        a={'default_hooks.early_bird': [hook]})))).runs
    assert planned_steps(run) == [dense, 12]


def test_jobs_know_how_long_they_are(tmp_path):
    study = load_study(str(write_study(tmp_path, dict(
        a=dict(to=['25%'], schedule=['resume'], rounds=[1, 2])))))
    assert [(j.is_dense, j.trainings, j.steps) for j in plan(study, tmp_path)] == [
        (True, 1, 12), (False, 1, 9), (False, 2, 18)]


def test_earlier_trainings_count_with_what_jobs_take_besides(tmp_path):
    study = load_study(str(write_study(tmp_path, dict(a=dict(sparsity=[0.8])))))
    entry = dict(status='done', scope_sparsity=0.5, network_sparsity=0.4, metrics={},
                 checkpoint='x', iterations=12, planned_iterations=12, seconds=60.0)
    write_json(tmp_path / 'runs' / study.runs[0].name / 'lottery.json', dict(
        version=1, config=dict(train_cfg=dict(max_iters=12)),
        rounds=[dict(entry, round=0, iterations=6), dict(entry, round=1)]))
    # The first was ended early: it says nothing of a whole one.
    one, = earlier(study, tmp_path, 1.5)
    assert one[:4] == ('base', 12, 1, 90.0)


def test_only_lotteries_of_the_same_base_count(tmp_path):
    """Of all studies in the root, whatever their bases are called."""
    for base in ('det', 'det_big', 'det[1]'):
        write_base(tmp_path, base)
    studies = {base: load_study(str(write_study(
        tmp_path, dict(a=dict(sparsity=[sparsity])), base=f'{base}.py', name=f'study_{sparsity}')))
        for base, sparsity in (('det', 0.8), ('det_big', 0.7), ('det[1]', 0.6))}
    entry = dict(status='done', scope_sparsity=0.5, network_sparsity=0.4, metrics={},
                 checkpoint='x', iterations=12, planned_iterations=12)
    for seconds, (base, study) in enumerate(studies.items(), 60):
        folder = tmp_path / 'runs' / study.runs[0].name
        write_json(folder / 'lottery.json', dict(
            version=1, config=dict(train_cfg=dict(max_iters=12)),
            rounds=[dict(entry, round=0, seconds=float(seconds))]))
        write_text(folder / 'round_0' / f'{base}.py', '')
    for seconds, (base, study) in enumerate(studies.items(), 60):
        others = load_study(str(write_study(
            tmp_path, dict(a=dict(sparsity=[0.5])), base=f'{base}.py', name='others')))
        for expecting in (study, others):
            one, = earlier(expecting, tmp_path)
            assert one[:4] == (base, 12, 1, float(seconds))
            assert [key[0] for key in Disk(expecting, tmp_path).per_training] == [base]


@pytest.mark.parametrize('setting, as_fast', [
    ({'model.width': [9]}, False), ({'train_dataloader.batch_size': [3]}, False),
    ({'model.init_cfg': [dict(checkpoint='other.pth')]}, True), (dict(sparsity=[0.5]), True),
    (dict(seed=[4]), True)], ids=str)
def test_what_a_run_says_of_another_depends_on_its_network(tmp_path, setting, as_fast):
    """Its time and its files; read from its lottery.json as it was written by a Runner."""
    study = load_study(str(write_study(tmp_path, dict(a=dict(sparsity=[0.8]), b=setting))))
    known, other = study.runs
    entry = dict(round=0, status='done', scope_sparsity=0.5, network_sparsity=0.4, metrics={},
                 checkpoint='x', iterations=12, planned_iterations=12, seconds=60.0)
    write_json(tmp_path / 'runs' / known.name / 'lottery.json', dict(
        version=1, config=plain_config(known.cfg), rounds=[entry]))
    estimate = Estimate(earlier(study, tmp_path))
    assert not estimate.guesses(job('a', base='base', network=known.network))
    assert estimate.guesses(job('b', base='base', network=other.network)) is not as_fast
    assert ((other.base, other.network) in Disk(study, tmp_path).per_training) is as_fast
    guessed = 'jobs train a network of which none is finished' in dry_run(study, tmp_path)
    assert guessed is not as_fast


def test_the_first_estimate_is_held_against_the_truth(tmp_path, monkeypatch):
    jobs = [job('a'), job('b')]
    with Progress(jobs, Estimate(), live=False) as progress:
        assert progress.session()['estimated'] is None
        progress.began -= 100
        jobs[0].status, jobs[0].began = 'done', progress.began
        jobs[0].folder = jobs[1].folder = tmp_path      # no lottery there
        progress.ended(jobs[0])
        jobs[1].status = 'done'
        session = progress.session()
    assert session['estimated'] == pytest.approx(200, abs=5) and session['estimated_after'] == 1
    assert session['complete'] and session['jobs'] == 2 and session['overhead'] is None
    folder = tmp_path / 'study'
    add_session(folder, {**session, 'seconds': 230.0, 'overhead': 1.25, 'began': 1.0})
    add_session(folder, dict(session, seconds=30.0, estimated=None, complete=False, began=2.0))
    assert sessions_text(read_sessions(folder)) == (
        'Wall time: 2 jobs in 4 min (estimated 3 min after 1 job); 2 jobs in 30 s (no estimate, '
        'interrupted or failed in part).')
    assert known_overhead(tmp_path) == 1.25 and known_overhead(folder) == 1
    (folder / 'times.json').write_text(json.dumps([{'seconds': 'much'}]))
    assert read_sessions(folder) == [] and sessions_text([]) == ''
