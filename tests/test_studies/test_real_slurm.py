"""Studies on a Slurm that answers; skipped elsewhere."""
import json
import shutil
import subprocess
import threading
import time

import pytest
from test_executors import APPEND, make_jobs, run
from toy_study import run_tool, write_study

from mmlth.studies.executors import SubmititExecutor


def answers() -> bool:
    """Whether there is a Slurm with a node that takes jobs."""
    if shutil.which('sinfo') is None:
        return False
    try:    # A controller that is not there would be asked again for 9 seconds.
        found = subprocess.run(['sinfo', '--noheader', '--format=%T'], capture_output=True,
                               text=True, timeout=2)
    except subprocess.TimeoutExpired:
        return False
    return found.returncode == 0 and any(s in found.stdout for s in ('idle', 'mixed', 'allocated'))


@pytest.fixture(scope='module', autouse=True)
def slurm():
    """Asked when a test is to run: collecting the tests waits for nobody."""
    if not answers():
        pytest.skip('no Slurm answers to sinfo')


def test_a_study_through_the_queue(tmp_path, monkeypatch, capfd):
    path = write_study(tmp_path, dict(few=dict(sparsity=[0.5, 0.8])))
    assert run_tool(monkeypatch, path, '--executor', 'slurm', '--slurm', 'time=5',
                    'cpus_per_task=1', '--work-dir', tmp_path / 'runs') == 0
    states = [json.loads(file.read_text()) for file in (tmp_path / 'runs').rglob('lottery.json')]
    assert len(states) == 2
    assert all(entry['status'] == 'done' for state in states for entry in state['rounds'])
    # A Slurm without accounting is told in one line, not at every look.
    captured = capfd.readouterr()
    assert 'sacct' not in captured.err and captured.out.count('no accounting') <= 1


@pytest.mark.parametrize('signal', [[], ['--signal=KILL', '--full']], ids=['asked', 'killed'])
def test_a_cancelled_job_is_sent_again(tmp_path, signal):
    jobs = make_jobs(tmp_path, a=[], b=['a'])
    executor = SubmititExecutor('slurm', tmp_path / 'submitit', slurm=dict(time=5))

    def cancel():
        while not (tmp_path / 'order').exists():
            time.sleep(0.1)
        # A job that is killed leaves no result.
        subprocess.run(['scancel', *signal, jobs[0].handle.job_id], check=True)

    thread = threading.Thread(target=cancel)
    thread.start()
    # The first try of `a` waits to be cancelled.
    script = APPEND + 'test $(basename $1) = b || test $(grep -c a $1/../order) = 2 || sleep 60'
    assert run(jobs, executor, script, retries=1) == dict(a='done', b='done')
    thread.join()
    assert (tmp_path / 'order').read_text().split() == ['a', 'a', 'b']
