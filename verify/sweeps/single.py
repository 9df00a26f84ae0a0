"""One run of a sweep, wherever it is computed: on one thread, and with an outcome whatever happens.

Everything that a run raises is caught here and recorded as its reason, so that one failing run stops no other. A worker may die
all the same; who gave it the run notices that, and makes the outcome with ``lost``.
"""

from __future__ import annotations

import datetime
import os
import platform
import threading
import traceback
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from numerics.errors import NumericsError
from theorems.errors import InputError
from verify.errors import ProblemError
from verify.fields import one_line
from verify.sweeps.plan import Plan, Sections, tool_version
from verify.workers import single_threaded

ATTEMPTS = 3  # of a run whose worker dies; a run that needs more memory than there is would kill workers for ever
_SHOWN_CHARACTERS = 1000


class Status(Enum):
    """What became of a run; the value is the word in the store."""

    PLANNED = "planned"
    FINISHED = "finished"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class Task:
    """A run to be done. folder: absolute, what relative data paths are relative to. version: of the tool that planned it."""

    id: str
    problem: Sections
    folder: str
    version: str


@dataclass(frozen=True)
class Outcome:
    """What became of a task. status: finished, failed (the run's own fault) or lost (the worker's).

    started, finished: UTC, ISO 8601; started is None where it is not known. result: the document of result.json as text, where
    the run finished. error: one sentence, where it did not. worker: host and process.
    """

    id: str
    status: Status
    started: str | None
    finished: str
    result: str | None
    error: str | None
    worker: str | None


def tasks_of(plan: Plan, wanted: set[str]) -> list[Task]:
    """The plan's runs with these names as tasks, those with most work first: a long one begun last would keep one core alone."""
    chosen = [run for run in plan.runs if run.id in wanted]
    chosen.sort(key=lambda run: _work(run.problem), reverse=True)  # stable: equal work stays in the plan's order
    return [Task(run.id, run.problem, str(plan.folder), plan.version) for run in chosen]


def run_one(task: Task) -> Outcome:
    """Verify one problem on one thread. Never raises: what is raised becomes the outcome's reason.

    Several threads of one process may call this; they take turns, because the compiled kernels share one thread pool.
    """
    started = now()
    try:
        with _TURNS, single_threaded():
            result = _verified(task)
    except _WrongVersion as error:
        return Outcome(task.id, Status.LOST, started, now(), None, str(error), worker_name())
    except (ProblemError, InputError, NumericsError) as error:
        return _failed(task, started, one_line(error))
    except OverflowError:
        return _failed(task, started, "a number of this problem exceeds the range of double precision")
    except MemoryError:
        return _failed(task, started, "this problem does not fit into memory")
    except Exception as error:  # a mistake of ours: recorded with its place, and the other runs go on
        return _failed(task, started, f"unexpected {type(error).__name__}{_place(error)}: {one_line(error)}")
    return Outcome(task.id, Status.FINISHED, started, now(), result, None, worker_name())


def lost(task: Task, reason: str) -> Outcome:
    """The outcome of a task whose worker gave no answer."""
    return Outcome(task.id, Status.LOST, None, now(), None, reason, None)


def now() -> str:
    """The time in UTC, ISO 8601 with microseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def worker_name() -> str:
    """Host and process."""
    return f"{platform.node()}:{os.getpid()}"


class _WrongVersion(Exception):
    """The worker has another version of this tool than the plan."""


_TURNS = threading.Lock()


def _verified(task: Task) -> str:
    from verify.output import as_text
    from verify.problem import problem_from_mapping
    from verify.result import result_json
    from verify.verification import verify

    if tool_version() != task.version:
        raise _WrongVersion(f"the worker has overparam {tool_version()}, the sweep was planned by {task.version}")
    return as_text(result_json(verify(problem_from_mapping(task.problem, Path(task.folder))), {}, waterfall=False))


def _failed(task: Task, started: str, reason: str) -> Outcome:
    return Outcome(task.id, Status.FAILED, started, now(), None, reason[:_SHOWN_CHARACTERS], worker_name())


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _work(problem: Sections) -> float:
    """About the time a run takes, in no unit: products of adjacent widths times points times steps. Only the order matters."""
    widths = problem["network"]["hidden"]
    weights: int = widths[0] + sum(below * above for below, above in zip(widths, widths[1:], strict=False))
    return float(weights * problem["data"]["points"]) * float(problem["training"]["steps"])
