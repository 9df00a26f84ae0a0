"""Worker processes of this machine: each has one run at a time, and one that dies loses only that run, which is tried again.

Not ``concurrent.futures``: there the death of one worker fails every run under way and does not say whose it was. Processes are
spawned, not forked: a fork would inherit the threads' locks without the threads. They start with one thread each. They do not
hear Ctrl-C, which is the parent's to answer, and end themselves when the parent is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from verify.errors import ProblemError
from verify.sweeps.single import ATTEMPTS, Outcome, Task, lost
from verify.sweeps.worker import serve

FALSE_STARTS = 3  # of workers, one after the other, before it is clear that none can start


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    task: Task | None = None
    ready: bool = False


def usable_cores() -> int:
    """The number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_in_processes(tasks: Sequence[Task], workers: int) -> Generator[Outcome, Any, None]:
    """Yield the outcome of every task, as they come. workers: how many processes at most.

    A worker has its next task before the outcome of the last is yielded, so it does not wait for what the caller does with it.
    When the iterator is closed the workers end at once. Raises ProblemError when no worker can start.
    """
    waiting, deaths, false_starts = deque(tasks), Counter[str](), 0
    team: list[_Worker] = []
    try:
        team += [_started() for _ in range(min(workers, len(tasks)))]
        while team:
            answering = set(wait([worker.connection for worker in team]))
            for worker in [worker for worker in team if worker.connection in answering]:
                message = _received(worker)
                if message is not None:
                    worker.ready, false_starts = True, 0
                    _employ(worker, waiting, team)
                    if isinstance(message, Outcome):
                        yield message
                    continue
                team.remove(worker)
                false_starts += not worker.ready
                code, task = _ended(worker), worker.task
                if false_starts >= FALSE_STARTS:
                    raise ProblemError(f"worker processes end before they are ready, {code}")
                if task is not None:
                    deaths[task.id] += 1
                    if deaths[task.id] < ATTEMPTS:
                        waiting.append(task)
                    else:
                        yield lost(task, f"its worker process died {ATTEMPTS} times, the last time by {code}")
                if len(team) < min(workers, len(waiting) + sum(one.task is not None for one in team)):
                    team.append(_started())
    finally:
        for worker in team:
            worker.process.kill()
            _ended(worker)


def _employ(worker: _Worker, waiting: deque[Task], team: list[_Worker]) -> None:
    """Give the worker its next task, or let it go."""
    worker.task = waiting.popleft() if waiting else None
    try:
        worker.connection.send(worker.task)
    except OSError:  # it died meanwhile: the end of its connection will be read, and the task given to another
        return
    if worker.task is None:
        team.remove(worker)
        _ended(worker)


def _received(worker: _Worker) -> object | None:
    """What the worker sends, or None when it has died."""
    try:
        message: object = worker.connection.recv()
    except (EOFError, OSError):  # OSError: in the middle of a message
        return None
    return message


def _ended(worker: _Worker) -> str:
    """Wait for the process to end, and say how it did."""
    worker.process.join()
    worker.connection.close()
    code = worker.process.exitcode
    worker.process.close()
    if code is not None and code < 0:
        return f"signal {-code} ({signal.Signals(-code).name})" if -code in set(signal.Signals) else f"signal {-code}"
    return f"exit status {code}"


def _started() -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    with _interrupt_held_back():
        process.start()
    theirs.close()  # so that the end of the process is the end of the connection
    return _Worker(process, ours)


@contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """Ctrl-C is blocked for what starts here, which inherits that, and comes after the block for us."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
