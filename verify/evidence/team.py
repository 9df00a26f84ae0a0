"""Who measures: worker processes or this one; always on one thread, so that no bit depends on how many there are."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from verify.errors import ProblemError
from verify.progress import Progress, prefixed, silent
from verify.workers import SPAWNED, interrupt_held_back, prepare_worker, single_threaded

Item = TypeVar("Item")
Measured = TypeVar("Measured")


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
        results: dict[int, Measured] = {}
        try:
            with interrupt_held_back():  # the workers start here
                places = {self.executor.submit(_alone, measure, items[place]): place for place in order}
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
    executor = ProcessPoolExecutor(workers, SPAWNED, prepare_worker)
    try:
        yield Team(progress, executor)
    except BaseException:
        for process in set(multiprocessing.active_children()) - before:
            process.kill()
        raise
    finally:
        executor.shutdown()


def _alone(measure: Callable[[Item], Measured], item: Item) -> Measured:
    with single_threaded():
        return measure(item)
