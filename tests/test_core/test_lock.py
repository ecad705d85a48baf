"""Lock files: one process at a time, gone with the process, and never in the way."""
import os
import signal
import time

import pytest

from mmlth.core import lock
from mmlth.core.lock import file_lock


def start(work):
    """Run ``work(told)`` in a child that then waits to be killed; return once it has told."""
    ends = os.pipe()
    child = os.fork()
    if not child:
        work(ends[1])
        os._exit(0)
    os.close(ends[1])
    os.read(ends[0], 1)
    return child


def end(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def hold(path):
    def work(told):
        with file_lock(path):
            if not os.fork():       # a worker, which outlives the process
                time.sleep(2)
                os._exit(0)
            os.write(told, b'.')
            time.sleep(60)
    return start(work)


def test_another_process_is_told_or_waits(tmp_path):
    path = tmp_path / 'new/.lock'
    child = hold(path)
    with file_lock(path, wait=False) as free:
        assert not free
    waiting = os.fork()
    if not waiting:
        with file_lock(path) as free:
            os._exit(0 if free else 1)
    time.sleep(0.1)
    assert os.waitpid(waiting, os.WNOHANG) == (0, 0)
    end(child)      # its worker lives on
    assert os.waitpid(waiting, 0)[1] == 0
    with file_lock(path, wait=False) as free:
        assert free


def test_an_error_lets_it_go(tmp_path):
    with pytest.raises(KeyError), file_lock(tmp_path / '.lock'):
        raise KeyError
    child = hold(tmp_path / '.lock')        # else it would wait for ever
    end(child)


def test_where_nothing_can_be_locked_nothing_is_held(tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    with file_lock(tmp_path / 'file/.lock', wait=False) as free:
        assert free

    class Refuses:
        LOCK_EX = LOCK_NB = 0

        def lockf(self, *args):
            raise OSError('no locks available')

    for without in (None, Refuses()):
        monkeypatch.setattr(lock, 'fcntl', without)
        with file_lock(tmp_path / '.lock', wait=False) as free:
            assert free
