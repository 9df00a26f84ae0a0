"""Who measures: worker processes, one a core, or this process; always on one thread, so that no bit depends on how many there are.

Workers are spawned, start with one thread each, do not hear Ctrl-C, which is the parent's to answer, and end with it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from verify.errors import ProblemError
from verify.progress import Progress, prefixed, silent

Item = TypeVar("Item")
Measured = TypeVar("Measured")

_THREADS = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Team:
    """executor: the worker processes, None for this one. progress: is told the present stage."""

    progress: Progress = silent
    executor: Executor | None = None

    def about(self, name: str) -> Team:
        """The same team, with this word before what it tells."""
        return replace(self, progress=prefixed(self.progress, f"{name}: "))

    def each(
        self,
        measure: Callable[[Item], Measured],
        items: Sequence[Item],
        words: Callable[[Item], str],
        work: Callable[[Item], float] = lambda item: 0.0,
    ) -> list[Measured]:
        """``measure`` of every item, in their order.

        Arguments: ``measure``, a function of a module, which sees nothing but its item; ``words``, an item's name for the progress;
        ``work``, about the time an item takes, in any unit: the longest are begun first, so that none is left for one core alone.
        Raises what ``measure`` raises, and ProblemError when a worker process dies.
        """
        if self.executor is None:
            found = []
            for number, item in enumerate(items, 1):
                self.progress(f"{number} of {len(items)}, {words(item)}")
                found.append(_alone(measure, item))
            return found
        order = sorted(range(len(items)), key=lambda place: work(items[place]), reverse=True)
        with _interrupt_held_back():  # the workers start here
            places = {self.executor.submit(_alone, measure, items[place]): place for place in order}
        results: dict[int, Measured] = {}
        try:
            for future in as_completed(places):
                results[places[future]] = future.result()
                self.progress(f"{len(results)} of {len(items)}, done: {words(items[places[future]])}")
        except BrokenProcessPool:
            raise ProblemError("a worker process has died, perhaps for lack of memory; --workers 1 needs least") from None
        return [results[place] for place in range(len(items))]


@contextmanager
def team_of(workers: int, progress: Progress = silent) -> Iterator[Team]:
    """A team of so many processes; for one worker it is this process. When the block is left by an error they end at once."""
    if workers == 1:
        yield Team(progress)
        return
    before = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare)
    try:
        yield Team(progress, executor)
    except BaseException:
        for process in set(multiprocessing.active_children()) - before:
            process.kill()
        raise
    finally:
        executor.shutdown()


def _alone(measure: Callable[[Item], Measured], item: Item) -> Measured:
    from verify.sweeps.single import single_threaded

    with single_threaded():
        return measure(item)


def _prepare() -> None:
    """In a worker, before any library that has threads is loaded."""
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # as the command line does
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


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
