"""Run checks each in a process of its own, so that a crash ends one and not all."""
import multiprocessing
import os
import resource
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Callable, Iterator, List, Sequence, Tuple

from .result import reason_of

MEMORY = 11 << 30       # bytes of one process; two at a time fit 24 GiB


@dataclass
class _Job:
    number: int
    process: Any
    receiver: Any
    began: float


def run_each(function: Callable, tasks: Sequence[tuple], jobs: int,
             timeout: float) -> Iterator[Tuple[int, Any, str, float]]:
    """Call ``function(*task)`` for each task in a forked process.

    What the parent has imported need not be imported again. As each ends, yields the
    task's number, the function's value (or None), what kept it from one (or ''), and the
    seconds that it took.

    Args:
        function: Its value must be picklable.
        tasks: The arguments of each call.
        jobs: Processes at a time.
        timeout: Seconds after which a process is ended.
    """
    context = multiprocessing.get_context('fork')
    waiting = list(enumerate(tasks))
    running: List[_Job] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                number, task = waiting.pop(0)
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(sender, function, task))
                process.start()
                sender.close()      # the child's end: at its death the pipe ends
                running.append(_Job(number, process, receiver, time.time()))
            wait([job.receiver for job in running], timeout=1)
            for job in list(running):
                late = time.time() - job.began > timeout
                if job.receiver.poll() or late:
                    running.remove(job)
                    yield (job.number, *_end(job, timeout), time.time() - job.began)
    finally:
        for job in running:
            job.process.kill()


def _work(sender: Connection, function: Callable, task: tuple) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    nowhere = os.open(os.devnull, os.O_WRONLY)      # libraries print what they build and load
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        sender.send((function(*task), ''))
    except Exception as error:
        sender.send((None, reason_of(error)))


def _end(job: _Job, timeout: float) -> Tuple[Any, str]:
    try:
        value, problem = (job.receiver.recv() if job.receiver.poll() else
                          (None, f'stopped after {timeout:.0f} s'))
    except EOFError:
        job.process.join()
        code = job.process.exitcode
        value, problem = None, (f'the process was killed by signal {-code}' if code < 0
                                else f'the process ended with code {code}')
    job.process.kill()
    job.process.join()
    return value, problem
