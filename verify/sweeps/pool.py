"""Worker processes of this machine: each has one run at a time, and one that dies loses only that run, which is tried again.

Not ``concurrent.futures``: there the death of one worker fails every run under way and does not say whose it was.

Memory. A run estimates what it needs once it has its data (``verify.memory``). What is more than an allowance it asks for, and it
waits until that fits beside what other runs were promised and have not taken yet. Meanwhile nothing new is begun, so that its turn
comes; nor is anything begun for which not even the allowance is there. When no other run is under way it may go on: what does not
fit then does not fit at all, and the run says so itself.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter, deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from verify.errors import ProblemError
from verify.memory import available_memory, resident_memory
from verify.sweeps.single import ATTEMPTS, Outcome, Task, lost
from verify.sweeps.worker import GRANTED, serve
from verify.workers import SPAWNED, interrupt_held_back

FALSE_STARTS = 3  # of workers, one after the other, before it is clear that none can start
ALLOWANCE = 4  # runs that need no more than 1/ALLOWANCE of their worker's part of the memory do not ask


@dataclass(eq=False)
class _Worker:
    """promised: bytes that its run may take. before: bytes that the process had when the run began. asks: bytes it waits for."""

    process: SpawnProcess
    connection: Connection
    task: Task | None = None
    ready: bool = False
    promised: int = 0
    before: int = 0
    asks: int | None = None

    @property
    def not_taken(self) -> int:
        """What it was promised and has not taken yet; all of it where the operating system does not tell."""
        taken = resident_memory(self.process.pid) - self.before if self.process.pid is not None else 0
        return max(0, self.promised - max(0, taken))


@dataclass(eq=False)
class _Pool:
    """most: workers at a time. allowance: bytes for which a run does not ask. waiting: tasks not begun. asking: workers that wait
    for memory, in their order. deaths: of workers, by the name of their task. false_starts: one after the other."""

    most: int
    allowance: int
    waiting: deque[Task]
    workers: list[_Worker] = field(default_factory=list)
    asking: deque[_Worker] = field(default_factory=deque)
    deaths: Counter[str] = field(default_factory=Counter)
    false_starts: int = 0


def run_in_processes(tasks: Sequence[Task], workers: int) -> Generator[Outcome, Any, None]:
    """Yield the outcome of every task, as they come. workers: how many processes at most.

    A worker has its next task before the outcome of the last is yielded, so it does not wait for what the caller does with it.
    When the iterator is closed the workers end at once. Raises ProblemError when no worker can start.
    """
    wanted = min(workers, len(tasks))
    allowance = available_memory() // (ALLOWANCE * wanted) if wanted > 1 else sys.maxsize
    pool = _Pool(workers, allowance, deque(tasks))
    try:
        pool.workers += [_started(allowance) for _ in range(wanted)]
        while pool.workers:
            answering = set(wait([worker.connection for worker in pool.workers]))
            for worker in [worker for worker in pool.workers if worker.connection in answering]:
                if worker not in pool.workers:  # let go meanwhile
                    continue
                outcome = _heard(worker, pool)
                _grant(pool)
                _employ_idle(pool)
                if outcome is not None:
                    yield outcome
    finally:
        for worker in pool.workers:
            worker.process.kill()
            _ended(worker)


def _heard(worker: _Worker, pool: _Pool) -> Outcome | None:
    """Take what the worker says: that it is ready, how many bytes it asks for, or an outcome; or that it has died."""
    message = _received(worker)
    if message is None:
        return _replaced(worker, pool)
    if isinstance(message, int):
        worker.asks = message
        pool.asking.append(worker)
        return None
    worker.ready, worker.task, pool.false_starts = True, None, 0
    return message if isinstance(message, Outcome) else None


def _replaced(worker: _Worker, pool: _Pool) -> Outcome | None:
    """Remove a worker that died, and start another if it would have a task. Raises ProblemError when none can start."""
    pool.workers.remove(worker)
    if worker in pool.asking:
        pool.asking.remove(worker)
    pool.false_starts += not worker.ready
    code = _ended(worker)
    if pool.false_starts >= FALSE_STARTS:
        raise ProblemError(f"worker processes end before they are ready, {code}")
    outcome = _bereft(worker.task, code, pool.deaths, pool.waiting)
    begun = sum(one.task is not None for one in pool.workers)
    if len(pool.workers) < min(pool.most, len(pool.waiting) + begun):
        pool.workers.append(_started(pool.allowance))
    return outcome


def _bereft(task: Task | None, code: str, deaths: Counter[str], waiting: deque[Task]) -> Outcome | None:
    """The task of a worker that died waits for another, or is given up."""
    if task is None:
        return None
    deaths[task.id] += 1
    if deaths[task.id] < ATTEMPTS:
        waiting.append(task)
        return None
    return lost(task, f"its worker process died {ATTEMPTS} times, the last time by {code}")


def _grant(pool: _Pool) -> None:
    """Let those go on, in the order in which they asked, whose memory is there."""
    while pool.asking:
        worker = pool.asking[0]
        assert worker.asks is not None
        if not _fits(worker.asks, worker, pool.workers):
            return
        pool.asking.popleft()
        worker.promised, worker.asks = max(worker.promised, worker.asks), None
        _send(worker, GRANTED)


def _fits(needed: int, worker: _Worker, workers: list[_Worker]) -> bool:
    """Whether so many bytes are there for the worker beside what others were promised, or no other run is under way."""
    others = [one for one in workers if one is not worker and one.task is not None]
    return all(one.asks is not None for one in others) or needed <= available_memory() - sum(one.not_taken for one in others)


def _employ_idle(pool: _Pool) -> None:
    """Give those who have nothing to do their next task, if there is memory for it and nobody waits for some."""
    if pool.asking:
        return
    for worker in [one for one in pool.workers if one.ready and one.task is None]:
        if not pool.waiting or _fits(pool.allowance, worker, pool.workers):
            _employ(worker, pool)


def _employ(worker: _Worker, pool: _Pool) -> None:
    """Give the worker its next task, or let it go."""
    worker.task = pool.waiting.popleft() if pool.waiting else None
    worker.promised, worker.before = pool.allowance, resident_memory(worker.process.pid) if worker.process.pid is not None else 0
    if _send(worker, worker.task) and worker.task is None:
        pool.workers.remove(worker)
        _ended(worker)


def _send(worker: _Worker, message: object) -> bool:
    """Whether it could be sent. If not the worker has died: the end of its connection will be read, its task given to another."""
    try:
        worker.connection.send(message)
    except OSError:
        return False
    return True


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


def _started(allowance: int) -> _Worker:
    ours, theirs = SPAWNED.Pipe()
    process = SPAWNED.Process(target=serve, args=(theirs, allowance), daemon=True)
    with interrupt_held_back():
        process.start()
    theirs.close()  # so that the end of the process is the end of the connection
    return _Worker(process, ours)
