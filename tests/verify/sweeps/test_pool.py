"""The pool, with workers that compute nothing and die on request."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from verify.errors import ProblemError
from verify.sweeps import pool
from verify.sweeps.plan import plan_from_mapping
from verify.sweeps.runner import processes
from verify.sweeps.single import ATTEMPTS, Outcome, Status, Task, tasks_of


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stand-in's module, found by the spawned processes too, which get this process's search path."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    module = importlib.import_module("stand_in")
    monkeypatch.setattr(pool, "serve", module.serve)
    return module


def tasks(log: Path, deaths: str, names: str) -> list[Task]:
    return [Task(name, {}, f"{log} {deaths}", "1") for name in names]


def test_every_task_once_and_the_workers_gone(stand_in: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = list(pool.run_in_processes(tasks(log, "never", "abcdefgh"), 2))
    assert sorted(outcome.id for outcome in found) == list("abcdefgh") == sorted(log.read_text().split())
    assert {outcome.status for outcome in found} == {Status.FINISHED}
    assert not multiprocessing.active_children()


def test_a_run_whose_worker_dies_is_tried_again_and_costs_no_other_run(stand_in: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    given = [*tasks(log, "once", "a"), *tasks(log, "never", "bcd"), *tasks(log, "always", "e")]
    found = {outcome.id: outcome for outcome in pool.run_in_processes(given, 2)}
    assert Counter(log.read_text().split()) == {"a": 2, "b": 1, "c": 1, "d": 1, "e": ATTEMPTS}
    assert [found[name].status for name in "abcd"] == [Status.FINISHED] * 4
    assert found["e"].status is Status.LOST
    assert found["e"].error == "its worker process died 3 times, the last time by signal 9 (SIGKILL)"
    assert len(found) == 5


def test_closing_ends_the_workers(stand_in: Any, tmp_path: Path) -> None:
    with contextlib.closing(pool.run_in_processes(tasks(tmp_path / "log", "never", "abcdefgh"), 1)) as outcomes:
        assert isinstance(next(outcomes), Outcome)
    assert not multiprocessing.active_children()


def test_workers_that_cannot_start(stand_in: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pool, "serve", stand_in.end_at_once)
    with pytest.raises(ProblemError, match="worker processes end before they are ready, exit status 3"):
        list(pool.run_in_processes(tasks(tmp_path / "log", "never", "ab"), 2))
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("workers", [0, -1, True])
def test_how_many_workers(workers: int) -> None:
    with pytest.raises(ProblemError, match="--workers must be a positive integer"):
        processes(workers)


def test_most_work_first() -> None:
    plan = plan_from_mapping({"grid": {"network.hidden": [[4], [64, 64], [8]], "training.steps": [10, 30]}})
    wanted = {run.id for run in plan.runs[1:]}
    order = [(task.problem["network"]["hidden"], task.problem["training"]["steps"]) for task in tasks_of(plan, wanted)]
    assert order == [([64, 64], 30), ([64, 64], 10), ([8], 30), ([4], 30), ([8], 10)]
