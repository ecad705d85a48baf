"""Where jobs run, in which order, and what becomes of those that fail. Jobs are shell commands."""
import os
import stat
import sys
import time
from types import SimpleNamespace

import pytest
from toy_study import run_tool, write_study

from mmlth.core.errors import UserError
from mmlth.studies import executors, machine
from mmlth.studies import run as studies_run
from mmlth.studies.disk import Disk
from mmlth.studies.estimate import Estimate, Taken
from mmlth.studies.executors import LocalExecutor, SubmititExecutor, minutes
from mmlth.studies.jobs import Job
from mmlth.studies.progress import Progress
from mmlth.studies.run import Loop, thread_limit
from mmlth.studies.study import Study


def make_jobs(folder, **needs):
    """Jobs by name, each with the names of what it needs."""
    jobs = {}
    for name, needed in needs.items():
        (folder / name).mkdir()
        jobs[name] = Job(name, folder / name, SimpleNamespace(base='toy', name=name, network=''),
                         [jobs[other] for other in needed])
    return list(jobs.values())


def run(jobs, executor, script, retries=0, at_once=1):
    """Run them all; ``script`` is a shell script, its argument a job's name."""
    with Progress(jobs, Estimate(), at_once, live=False) as progress:
        Loop(jobs, executor, progress, retries,
             lambda job: ['sh', '-ec', script, 'sh', str(job.folder)]).run()
    executor.close()
    return {job.name: job.status for job in jobs}


TOY = Taken('toy', 1, 1, 60.0)
APPEND = 'echo $(basename $1) >> $1/../order; '


@pytest.fixture(params=['local', 'submitit-local', 'debug', 'slurm'])
def executor(request, tmp_path, monkeypatch):
    if request.param == 'local':
        return LocalExecutor(memory=0)
    if request.param == 'slurm':
        fake_slurm(tmp_path / 'bin', monkeypatch)
    found = SubmititExecutor(request.param, tmp_path / 'submitit',
                             None if request.param == 'slurm' else 1)
    found.interval = 0.05
    return found


def test_order_failures_and_what_needs_them(tmp_path, executor, capsys):
    jobs = make_jobs(tmp_path, a=[], b=['a'], bad=[], c=['bad'], d=['c'], e=['b'])
    script = APPEND + 'test $(basename $1) != bad'
    assert run(jobs, executor, script) == dict(
        a='done', b='done', bad='failed', c='failed', d='failed', e='done')
    order = (tmp_path / 'order').read_text().split()
    assert sorted(order) == ['a', 'b', 'bad', 'e']
    assert order.index('a') < order.index('b') < order.index('e')
    text = capsys.readouterr().out
    assert 'bad: failed' in text and 'c: not started, bad failed' in text
    *_, counts, bad, c, d = text.splitlines()
    assert '3/6 jobs done, 0 running, 3 failed, 0 waiting' in counts
    # The reasons once more, where a reader looks last.
    assert f'bad: failed: it left no output ({jobs[2].log})' in bad
    assert 'c: not started, bad failed' in c and 'd: not started, c failed' in d


def test_a_failed_job_is_tried_again(tmp_path, executor, capsys):
    jobs = make_jobs(tmp_path, a=[], b=['a'])
    # The second time there is a file.
    script = APPEND + ('test $(basename $1) = b || test -e $1/once || '
                       '{ touch $1/once; echo oh; false; }')
    assert run(jobs, executor, script, retries=1) == dict(a='done', b='done')
    assert (tmp_path / 'order').read_text().split() == ['a', 'a', 'b']
    assert 'a: failed, is tried again: oh' in capsys.readouterr().out


# A cluster that has a node for each job; it waits for what it depends on.
_SBATCH = '''#!{python}
import os, re, subprocess, sys, time
from pathlib import Path
here, script = Path(__file__).parent, Path(sys.argv[1])
number = str(len(list(here.glob('*.state'))) + 100)
text = script.read_text()
(here / f'{{number}}.sh').write_text(text)
needs = re.search(r'--dependency=afterok:([0-9:]+)', text)
needs = [here / f'{{n}}.state' for n in (needs[1].split(':') if needs else [])]
print('Submitted batch job', number, flush=True)
(here / f'{{number}}.state').write_text('PENDING')
if os.fork():
    sys.exit()
sys.stdout.flush()
null = os.open(os.devnull, os.O_RDWR)
os.dup2(null, 1), os.dup2(null, 2)
while any(need.read_text() == 'PENDING' for need in needs):
    time.sleep(0.05)
code, ready = 1, all(need.read_text() == 'COMPLETED' for need in needs)
if ready:
    env = {{**os.environ, 'SLURM_JOB_ID': number, 'SLURM_NTASKS': '1', 'SLURM_JOB_NUM_NODES': '1',
           'SLURM_NODEID': '0', 'SLURM_PROCID': '0', 'SLURM_LOCALID': '0',
           'SLURM_JOB_NODELIST': 'here'}}
    code = subprocess.call(['bash', str(script)], env=env)
state = 'CANCELLED' if not ready else 'FAILED' if code else 'COMPLETED'
(here / f'{{number}}.state').write_text(state)
'''
_SRUN = '''#!/bin/sh
while [ "${1#--}" != "$1" ]; do
  case $1 in --output|--error) shift;; esac
  shift
done
exec "$@"
'''
_SACCT = '''#!/bin/sh
echo 'JobID|State|NodeList'
for file in $(dirname $0)/*.state; do echo "$(basename $file .state)|$(cat $file)|here"; done
'''


def fake_slurm(folder, monkeypatch):
    """Put sbatch, srun, sacct and scancel of a small stand-in on the path."""
    folder.mkdir()
    for name, text in dict(sbatch=_SBATCH.format(python=sys.executable), srun=_SRUN,
                           sacct=_SACCT, scancel='#!/bin/sh\n').items():
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')


def test_what_is_submitted_to_slurm(tmp_path, monkeypatch):
    fake_slurm(tmp_path / 'bin', monkeypatch)
    executor = SubmititExecutor('slurm', tmp_path / 'submitit', slurm=dict(
        partition='gpu', time='1-02:30:00', mem='32G', gpus_per_node=1, cpus_per_task=8,
        reservation='lottery', exclude=['a', 'b']))
    first, second = make_jobs(tmp_path, first=[], second=['first'])
    for job in (first, second):
        executor.start(job, ['true', job.name])
        job.status = 'running'
    one, two = ((tmp_path / f'bin/{number}.sh').read_text() for number in (100, 101))
    for line in ('partition=gpu', 'time=1590', 'mem=32G', 'gpus-per-node=1', 'cpus-per-task=8',
                 'reservation=lottery', 'exclude=a,b'):
        assert f'#SBATCH --{line}\n' in one and f'#SBATCH --{line}\n' in two
    assert '#SBATCH --job-name=second\n' in two
    assert 'dependency' not in one and '#SBATCH --dependency=afterok:100\n' in two
    assert '#SBATCH --kill-on-invalid-dep=yes\n' in two
    assert 'srun ' in one and '-m submitit.core._submit' in one
    while executor.poll(second) is None:
        time.sleep(0.05)
    executor.start(first, ['true'])     # nothing of the job before is left in it
    assert 'dependency' not in (tmp_path / 'bin/102.sh').read_text()


@pytest.mark.parametrize('change, message', [
    (dict(time='soon'), "time: expected minutes or '12:00:00'"), (None, 'srun')])
def test_mistakes_of_slurm(tmp_path, monkeypatch, change, message):
    if change is None:
        monkeypatch.setenv('PATH', str(tmp_path))
    else:
        fake_slurm(tmp_path / 'bin', monkeypatch)
    with pytest.raises(UserError, match=message):
        SubmititExecutor('slurm', tmp_path / 'submitit', slurm=change)


@pytest.mark.parametrize('text, reason', [
    ('Slurm accounting storage is disabled', 'Slurm accounting storage is disabled'),
    ('sacct: error: failed to open\nsacct: error: DBD_GET_JOBS_COND failure',
     'sacct: error: failed to open'), ('', 'exit 1')])
def test_a_slurm_without_accounting_is_told_on_one_line(tmp_path, monkeypatch, capsys, text,
                                                        reason):
    fake_slurm(tmp_path / 'bin', monkeypatch)
    (tmp_path / 'bin/sacct').write_text(f"#!/bin/sh\nprintf '%s' '{text}' >&2; exit 1\n")
    SubmititExecutor('slurm', tmp_path / 'submitit')
    assert capsys.readouterr().out == (
        f'This Slurm keeps no accounting ({reason}): jobs are followed by squeue.\n')


@pytest.mark.parametrize('limit, expected', [(90, 90), ('90', 90), ('00:30:01', 31),
                                             ('2-01:00:00', 49 * 60), ('30:00', 30),
                                             ('29:01', 30), ('1-12', 36 * 60),
                                             ('1-00:30', 24 * 60 + 30)])
def test_time_limits(limit, expected):
    assert minutes(limit) == expected


@pytest.mark.parametrize('limit', ['12h', '1-', '1:2:3:4', '1-2:3:4:5', '-1', ''])
def test_what_is_no_time_limit(limit):
    with pytest.raises(UserError, match='--slurm time: expected minutes or .*, got'):
        minutes(limit)


@pytest.mark.parametrize('given', [{'cpus-per-task': 8}, {'cpus_per_task': 8}])
def test_parameters_of_slurm_in_either_spelling(tmp_path, monkeypatch, given):
    """sbatch's was handed on, but each process had one thread."""
    def stop(cores, nproc):
        raise InterruptedError(f'{cores} cores')
    monkeypatch.setattr(studies_run, 'SubmititExecutor', lambda *args: handed.append(args[-1]))
    monkeypatch.setattr(studies_run, 'thread_limit', stop)
    handed = []
    study = Study('study', slurm={'cpus-per-task': 2, 'mem': '8G'})
    with pytest.raises(InterruptedError, match='^8 cores'):
        studies_run.run_study(study, '', tmp_path, executor='slurm', slurm=given)
    assert handed == [dict(cpus_per_task=8, mem='8G')]


def test_no_job_starts_while_memory_is_short(tmp_path, monkeypatch, capsys):
    known = iter([1.0, 1.0, 3.0, 3.0, 1.0])
    monkeypatch.setattr(executors, 'available_memory', lambda: next(known, 3.0))
    executor = LocalExecutor(memory=2)
    executor.interval = 0
    assert run(make_jobs(tmp_path, a=[], b=[]), executor, APPEND) == dict(a='done', b='done')
    text = capsys.readouterr().out
    assert text.count('waiting: 1.0 GB of memory are available, 2 are wanted') >= 1
    assert text.index('waiting: 1.0') < text.index('a: started')


@pytest.mark.parametrize('make, message', [
    (lambda folder: LocalExecutor(-1), 'jobs: expected a whole number, at least 1, got -1'),
    (lambda folder: SubmititExecutor('debug', folder, 0), 'jobs: .* got 0'),
    (lambda folder: LocalExecutor(memory=1e6), r'memory: 1e\+06 GB are to be available')])
def test_what_no_job_could_ever_start_with(tmp_path, make, message):
    """They waited for ever."""
    with pytest.raises(UserError, match=message):
        make(tmp_path)


@pytest.mark.parametrize('option', ['--jobs', '--nproc', '--retries'])
def test_numbers_are_looked_at_first(tmp_path, monkeypatch, option):
    path = write_study(tmp_path, dict(a=dict(sparsity=[0.8])))
    for more in ([], ['--executor', 'debug'], ['--dry-run'])[:3 if option == '--jobs' else 1]:
        code = run_tool(monkeypatch, path, '--work-dir', tmp_path / 'out', option, -1, *more)
        assert code.startswith(f'Error: {option[2:]}: expected a whole number, at least ')
    assert not (tmp_path / 'out').exists()


def test_what_the_largest_job_wants_is_looked_at_first(tmp_path):
    """It would never start, though what it leaves would fit."""
    (big, ), disk = make_jobs(tmp_path, big=[]), Disk(Study('s'), tmp_path)
    disk.per_training['toy', ''], disk.free = 10_000, lambda: 12_000
    with pytest.raises(UserError, match='15 kB of disk are wanted for 1 jobs.* 12 kB are free'):
        disk.check([big])


def test_cores_where_the_system_tells_no_affinity(monkeypatch):
    assert machine.available_cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, 'sched_getaffinity')
    assert machine.available_cores() == os.cpu_count()


def test_so_many_at_a_time(tmp_path):
    jobs = make_jobs(tmp_path, **{name: [] for name in 'abcd'})
    script = 'mkdir $1/../on_$(basename $1); sleep 0.3; ls -d $1/../on_* | wc -l >> $1/../seen; ' \
             'rmdir $1/../on_$(basename $1)'
    run(jobs, LocalExecutor(jobs=2, memory=0), script)
    assert max(map(int, (tmp_path / 'seen').read_text().split())) == 2


def test_threads_share_the_cores(monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    assert [thread_limit(8, 1), thread_limit(8, 4), thread_limit(1, 2)] == [8, 2, 1]
    monkeypatch.setenv('OMP_NUM_THREADS', '2')
    assert [thread_limit(8, 1), thread_limit(8, 8)] == [2, 1]


def test_what_a_process_runs(tmp_path):
    run = SimpleNamespace(base='toy', name='r', network='')
    command = Job('dense/x', tmp_path, run, kind='dense').command(
        's.py', tmp_path, nproc=4, threads=2)
    assert command[:2] == ['env', 'OMP_NUM_THREADS=2']
    text = ' '.join(command)
    assert '-m torch.distributed.run --standalone --nproc_per_node=4 -m mmlth.studies' in text
    assert f'{os.getcwd()}/s.py {tmp_path} dense r pytorch' in text
    text = ' '.join(Job('r', tmp_path, run).command('s.py', tmp_path))
    assert text.endswith('lottery r none') and 'torch.distributed' not in text


def test_time_left(tmp_path, monkeypatch):
    jobs = make_jobs(tmp_path, a=[], b=[], c=[])
    jobs[2].steps = 3
    progress = Progress(jobs, Estimate([TOY]), at_once=2, live=False)
    # The long one begins when a place is free, and has the end for itself.
    assert progress.left() == pytest.approx((1 + 3) * 60)
    jobs[0].status = 'done'
    assert progress.left() == pytest.approx(3 * 60)
    assert Progress(jobs, Estimate(), live=False).left() is None
    assert '1/3 jobs done, 0 running, 0 failed, 2 waiting; 0 s so far, about 3 min left' == (
        progress.counts())


def test_the_live_display(tmp_path, capsys):
    jobs = make_jobs(tmp_path, a=[], b=[])
    with Progress(jobs, Estimate([TOY]), live=True) as progress:
        jobs[0].status = 'running'
        progress.say('a: started')
        progress.live.refresh()
    text = capsys.readouterr().out
    assert 'a: started' in text and '0/2 jobs done, 1 running' in text
