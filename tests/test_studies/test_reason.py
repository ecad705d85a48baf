"""Why a job failed, on one line; and that a full disk is seen before it is full."""
import os
from collections import namedtuple

import pytest
from test_executors import make_jobs
from toy_study import run_tool, write_study

from mmlth.core.errors import UserError
from mmlth.core.files import write_json
from mmlth.engine.chain.state import LotteryState
from mmlth.studies import disk, load_study
from mmlth.studies.disk import Disk, size_of, text_of_bytes
from mmlth.studies.estimate import Estimate
from mmlth.studies.executors import LocalExecutor
from mmlth.studies.jobs import plan
from mmlth.studies.progress import Progress
from mmlth.studies.reason import failure
from mmlth.studies.run import Loop
from mmlth.studies.study import Study

_TRACE = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    run()\n'


@pytest.mark.parametrize('output, expected', [
    (f'{_TRACE}ValueError: bad\n/usr/lib/python: UserWarning: leaked semaphores\n  warn(\n',
     'ValueError: bad'),
    (f'{_TRACE}KeyError: 1\n\nDuring handling of the above exception, another exception '
     f'occurred:\n\n{_TRACE}RuntimeError: of it\n', 'RuntimeError: of it'),
    (f'{_TRACE}RuntimeError: Error(s) in loading state_dict for Net:\n\tsize mismatch for w\n'
     '\tsize mismatch for b\n',
     'RuntimeError: Error(s) in loading state_dict for Net: size mismatch for w'),
    ('Error: sparsity=80: for 80 % write 0.8\nException ignored in: <function f>\n',
     'Error: sparsity=80: for 80 % write 0.8'),
    (f'[rank1]: {_TRACE.replace(chr(10), chr(10) + "[rank1]: ")}ValueError: on one rank\n{_TRACE}'
     'torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n====\n  time : 1\n',
     'ValueError: on one rank'),
    (f'{_TRACE}AssertionError\n', 'AssertionError'),
    ('iter 1 loss 2\niter 2 loss 1\n', 'iter 2 loss 1'), ('', 'it left no output')])
def test_the_exception_not_what_is_printed_behind_it(tmp_path, output, expected):
    log = tmp_path / 'output.log'
    log.write_text(output)
    assert failure(log) == expected
    assert failure(tmp_path / 'none.log') == 'it left no output'


def test_each_try_has_a_reason_of_its_own(tmp_path, capsys):
    """Outputs are written one behind another: the first try's exception is not the second's."""
    jobs = make_jobs(tmp_path, a=[], b=[])
    script = ('test $(basename $1) = b && kill -9 $$; test -e $1/once && { echo stopped; exit 1; };'
              'touch $1/once; echo "Error: full of sorrow"; exit 1')
    with Progress(jobs, Estimate(), live=False) as progress:
        Loop(jobs, LocalExecutor(memory=0), progress, 1,
             lambda job: ['sh', '-c', script, 'sh', str(job.folder)]).run()
    text = capsys.readouterr().out
    assert 'a: failed, is tried again: Error: full of sorrow' in text
    assert f'a: failed: stopped ({jobs[0].log})' in text
    assert 'b: failed: killed by SIGKILL, maybe for want of memory' in text
    assert [job.reason.split(' (')[0] for job in jobs] == [
        'failed: stopped', 'failed: killed by SIGKILL, maybe for want of memory']


def free(monkeypatch, *values):
    """Let the disk have so many bytes free, the last for ever."""
    left, usage = list(values), namedtuple('usage', 'total used free')
    monkeypatch.setattr(disk.shutil, 'disk_usage', lambda _: usage(
        0, 0, left.pop(0) if len(left) > 1 else left[0]))


def finished_study(tmp_path):
    """A study of four runs, one finished; and its root."""
    study = load_study(str(write_study(tmp_path, dict(a=dict(sparsity=[0.5, 0.6, 0.7, 0.8])))))
    root, done = tmp_path / 'out', study.runs[0]
    state = LotteryState(root / 'runs' / done.name, done.located(root), done.spec)
    for entry in state.rounds:
        entry.update(status='done', scope_sparsity=0.5, network_sparsity=0.4, checkpoint='x')
    state.save()
    shared = root / 'dense' / done.dense
    write_json(shared / 'dense.json', dict(rewind=['5%', '4it'], status='done'))
    (shared / 'resume.pth').write_bytes(b'1' * 70_000)
    os.link(shared / 'resume.pth', root / 'runs' / done.name / 'rewind.pth')
    (root / 'runs' / done.name / 'final.pth').write_bytes(b'2' * 50_000)
    return study, root


def test_what_is_shared_counts_once(tmp_path):
    study, root = finished_study(tmp_path)
    found, todo = Disk(study, root), plan(study, root)
    assert len(todo) == 3 and 120_000 < size_of(root) < 130_000
    assert all(50_000 < found.needs(job) < 60_000 for job in todo)
    assert 'about 1' in found.text(todo) and 'kB in' in found.text()
    assert [text_of_bytes(n) for n in (999, 12_345, 3.2e9, 5e12)] == [
        '0.999 kB', '12.3 kB', '3.2 GB', '5000 GB']


def test_a_study_that_will_not_fit_is_refused(tmp_path, monkeypatch):
    study, root = finished_study(tmp_path)
    free(monkeypatch, 100_000)
    with pytest.raises(UserError, match='1.. kB of disk are wanted for 3 jobs, as finished runs '
                                        'tell, but 100 kB are free in .*: make room'):
        Disk(study, root).check(plan(study, root))
    assert 'of disk are wanted' in run_tool(monkeypatch, tmp_path / 'study.py', '--work-dir', root)
    assert not (root / 'study').exists()
    free(monkeypatch, 200_000)
    Disk(study, root).check(plan(study, root))


def test_no_job_starts_while_the_disk_is_full(tmp_path, monkeypatch, capsys):
    jobs = make_jobs(tmp_path, a=[], b=[])
    full = Disk(Study('s'), tmp_path)
    full.per_training['toy', ''] = 1_000_000
    free(monkeypatch, 10, 10, 10 ** 9)
    executor = LocalExecutor(memory=0)
    executor.interval = 0
    with Progress(jobs, Estimate(), live=False) as progress:
        Loop(jobs, executor, progress, 0, lambda job: ['true'], full).run()
    text = capsys.readouterr().out
    assert text.count('waiting: 0.01 kB of disk are free in') == 1
    assert text.index('waiting:') < text.index('a: started')
    assert {job.status for job in jobs} == {'done'}
