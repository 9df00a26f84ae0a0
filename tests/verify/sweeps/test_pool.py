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


@pytest.fixture
def hungry(stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Workers whose runs ask for memory, of which there are 1000 bytes; nobody is seen to have taken any."""
    monkeypatch.setattr(pool, "serve", stand_in.serve_hungry)
    monkeypatch.setattr(pool, "available_memory", lambda: 1000)
    monkeypatch.setattr(pool, "resident_memory", lambda process: 0)


def log_of(path: Path, workers: int, **runs: dict[str, Any]) -> list[str]:
    given = [Task(name, problem, str(path), "1") for name, problem in runs.items()]
    found = list(pool.run_in_processes(given, workers))
    assert sorted(outcome.id for outcome in found) == sorted(runs)
    assert not multiprocessing.active_children()
    return path.read_text().split()


def test_runs_that_do_not_fit_together_run_one_after_the_other(hungry: Any, tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", 3, a={"asks": 600}, b={"asks": 600}, c={"asks": 990}, d={"asks": 5000})
    assert sorted(log[::2]) == ["+a", "+b", "+c", "+d"]
    assert [line[1:] for line in log[::2]] == [line[1:] for line in log[1::2]]  # each ends before the next begins


def test_runs_that_fit_together_run_together(hungry: Any, tmp_path: Path) -> None:
    """Each waits for the other; a worker that does not ask counts with its allowance, 125 bytes of these."""
    log = log_of(tmp_path / "log", 2, a={"asks": 700, "until": "+b"}, b={"asks": 300, "until": "+a"})
    assert set(log[:2]) == {"+a", "+b"}
    log = log_of(tmp_path / "more", 2, a={"asks": 875, "until": "-b"}, b={"asks": 125, "until": "+a"})
    assert set(log[:2]) == {"+a", "+b"}
    log = log_of(tmp_path / "less", 2, a={"asks": 876}, b={"asks": 125})
    assert [line[1:] for line in log[::2]] == [line[1:] for line in log[1::2]]


def test_memory_that_was_taken_is_not_counted_twice(hungry: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of 700 bytes promised 600 are taken: 1000 - 600 are available, 100 of them promised, and 300 more fit."""
    held = {"all": 0}
    monkeypatch.setattr(pool, "resident_memory", lambda process: held["all"])
    process = multiprocessing.get_context("spawn").Process(target=print)
    ours, theirs = multiprocessing.Pipe()
    worker, other = (pool._Worker(process, ours, task=Task("x", {}, "", "")) for _ in range(2))
    worker.promised = 700
    monkeypatch.setattr(pool, "available_memory", lambda: 400)
    held["all"] = 600
    monkeypatch.setattr(type(process), "pid", 1)
    assert pool._fits(300, other, [worker, other])
    assert not pool._fits(301, other, [worker, other])
    held["all"] = 0
    assert not pool._fits(300, other, [worker, other])
    worker.asks = 1  # it waits too, and nobody is at work
    assert pool._fits(300, other, [worker, other])
    ours.close()
    theirs.close()


def test_a_worker_that_dies_while_it_waits_for_memory_keeps_nobody_waiting(hungry: Any, tmp_path: Path) -> None:
    runs: dict[str, dict[str, Any]] = {"a": {"asks": 900, "until": ""}, "b": {"asks": 900, "dies": True}, "c": {"asks": 1}}
    log = log_of(tmp_path / "log", 2, **runs)
    assert sorted(log) == ["+a", "+c", "-a", "-c"]


@pytest.mark.validate
def test_a_run_that_cannot_fit_is_recorded_and_the_others_run() -> None:
    plan = plan_from_mapping(
        {
            "data": {"source": "gaussian", "dimension": 3, "points": 2},
            "training": {"steps": 20},
            "grid": {"data.points": [10**12, 2, 3]},
        }
    )
    found = {outcome.id: outcome for outcome in processes(2)(tasks_of(plan, {run.id for run in plan.runs}))}
    assert [found[run.id].status for run in plan.runs] == [Status.FAILED, Status.FINISHED, Status.FINISHED]
    assert "of memory, but only" in str(found[plan.runs[0].id].error)


@pytest.mark.parametrize("workers", [0, -1, True])
def test_how_many_workers(workers: int) -> None:
    with pytest.raises(ProblemError, match="--workers must be a positive integer"):
        processes(workers)


def test_most_work_first() -> None:
    plan = plan_from_mapping({"grid": {"network.hidden": [[4], [64, 64], [8]], "training.steps": [10, 30]}})
    wanted = {run.id for run in plan.runs[1:]}
    order = [(task.problem["network"]["hidden"], task.problem["training"]["steps"]) for task in tasks_of(plan, wanted)]
    assert order == [([64, 64], 30), ([64, 64], 10), ([8], 30), ([4], 30), ([8], 10)]
