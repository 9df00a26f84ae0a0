"""Running a plan: what is still to be done goes to workers, and every outcome into the store as it comes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

from verify.sweeps.plan import Plan
from verify.sweeps.pool import run_in_processes
from verify.sweeps.single import Outcome, Task, tasks_of
from verify.sweeps.store import Store
from verify.workers import how_many

Dispatch = Callable[[Sequence[Task]], Generator[Outcome, Any, None]]
Progress = Callable[[int, int, Outcome | None], None]


def processes(workers: int | None = None) -> Dispatch:
    """Worker processes of this machine; by default one for each core this process may use. Raises ProblemError."""
    many = how_many(workers)
    return lambda tasks: run_in_processes(tasks, many)


def silent(done: int, total: int, outcome: Outcome | None) -> None:
    """A progress callback that shows nothing."""


def run_sweep(plan: Plan, store: Store, dispatch: Dispatch, progress: Progress = silent, retry_failed: bool = False) -> None:
    """Run what the store does not have yet.

    store: opened for this plan by ``verify.sweeps.store.lead``. dispatch: ``processes(...)`` or
    ``verify.sweeps.cluster.cluster(address)``. progress: called with the runs done, the runs of the plan and the outcome just
    recorded (None at the beginning). retry_failed: run those again that failed before.

    A run that fails or is lost is recorded and stops nothing. Any exception, Ctrl-C too, ends the workers and leaves the store
    with every run that was recorded. Raises ProblemError when the store cannot be written or no worker can be had.
    """
    tasks = tasks_of(plan, store.unfinished(retry_failed))
    done, total = len(plan.runs) - len(tasks), len(plan.runs)
    progress(done, total, None)
    if not tasks:
        return
    with contextlib.closing(dispatch(tasks)) as outcomes:
        for outcome in outcomes:
            store.record(outcome)
            done += 1
            progress(done, total, outcome)
