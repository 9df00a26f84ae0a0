"""The store: what was recorded is there whatever happens to the process, and nothing else is taken for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from verify.errors import ProblemError
from verify.sweeps import store as stores
from verify.sweeps.plan import Plan, plan_from_mapping
from verify.sweeps.single import Outcome, Status
from verify.sweeps.store import Store, lead, read


def plan_of(*seeds: int) -> Plan:
    return plan_from_mapping({"grid": {"network.seed": list(seeds)}})


def outcome(name: str, status: Status = Status.FINISHED, mark: int = 0) -> Outcome:
    result = json.dumps({"mark": mark}) if status is Status.FINISHED else None
    return Outcome(name, status, "before", "after", result, None if result else "because", "here:1")


def names(plan: Plan) -> list[str]:
    return [run.id for run in plan.runs]


def test_outcomes_come_back_in_the_order_of_the_plan(tmp_path: Path) -> None:
    plan = plan_of(0, 1, 2, 3)
    a, b, c, d = names(plan)
    with lead(tmp_path / "s.db", plan, False) as store:
        assert store.unfinished() == {a, b, c, d}
        for found in (outcome(c, Status.LOST), outcome(b, Status.FAILED), outcome(a, mark=5)):
            store.record(found)
        assert store.unfinished() == {c, d}
        assert store.unfinished(retry_failed=True) == {b, c, d}
        assert store.counts() == dict.fromkeys(Status, 1)
    with read(tmp_path / "s.db", plan) as store:
        runs = list(store.runs())
    assert [run.id for run in runs] == [a, b, c, d]
    assert [run.status for run in runs] == [Status.FINISHED, Status.FAILED, Status.LOST, Status.PLANNED]
    assert [run.result for run in runs] == [{"mark": 5}, None, None, None]
    assert [run.error for run in runs] == [None, "because", "because", None]
    assert [run.problem for run in runs] == [run.problem for run in plan.runs]
    assert (runs[0].started, runs[0].finished, runs[0].worker, runs[3].worker) == ("before", "after", "here:1", None)


@pytest.mark.parametrize("again", [Status.FINISHED, Status.FAILED, Status.LOST])
def test_a_finished_run_is_never_overwritten(again: Status, tmp_path: Path) -> None:
    plan = plan_of(0)
    with lead(tmp_path / "s.db", plan, False) as store:
        store.record(outcome(*names(plan), mark=1))
        store.record(outcome(*names(plan), status=again, mark=2))
        assert [run.result for run in store.runs()] == [{"mark": 1}]


def test_a_failed_run_that_is_tried_again_loses_its_reason(tmp_path: Path) -> None:
    plan = plan_of(0)
    with lead(tmp_path / "s.db", plan, False) as store:
        store.record(outcome(*names(plan), status=Status.FAILED))
        store.record(outcome(*names(plan)))
        assert [(run.status, run.error) for run in store.runs()] == [(Status.FINISHED, None)]


def test_the_same_plan_goes_on_and_another_is_refused_until_resumed(tmp_path: Path) -> None:
    path, old, new = tmp_path / "s.db", plan_of(0, 1), plan_of(1, 2, 3)
    with pytest.raises(ProblemError, match="nothing to resume"):
        lead(path, old, True)
    assert not list(tmp_path.iterdir())
    with lead(path, old, False) as store:
        for mark, name in enumerate(names(old)):
            store.record(outcome(name, mark=mark))
    with lead(path, plan_of(1, 0), False) as store:
        assert store.unfinished() == set()
        assert [run.result for run in store.runs()] == [{"mark": 1}, {"mark": 0}]
    for refuse in (lambda: lead(path, new, False), lambda: read(path, new)):
        with pytest.raises(ProblemError, match="2 of this plan's 3 runs are not in it, and 1 of its 2 runs are not in this plan"):
            refuse()
    with lead(path, new, True) as store:
        assert [run.result for run in store.runs()] == [{"mark": 1}, None, None]
        assert store.unfinished() == set(names(new)[1:])
        assert store.counts()[Status.FINISHED] == 1
    with lead(path, old, True) as store:  # what only the old plan had is still there
        assert store.unfinished() == set()


def test_one_leader_at_a_time_and_readers_beside_it(tmp_path: Path) -> None:
    path, plan = tmp_path / "s.db", plan_of(0, 1)
    with lead(path, plan, False) as store:
        with pytest.raises(ProblemError, match="is in use by another sweep"):
            lead(path, plan, False)
        with read(path, plan) as reader:
            runs = reader.runs()
            next(runs)
            store.record(outcome(names(plan)[1]))  # a reader in the middle of its reading does not hold it up
            assert next(runs).status is Status.FINISHED
            with pytest.raises(ProblemError, match="cannot be written: attempt to write a readonly database"):
                reader.record(outcome(names(plan)[0]))
    lead(path, plan, False).close()


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from verify.sweeps import store
from verify.sweeps.plan import plan_from_mapping
from verify.sweeps.single import Outcome, Status
plan = plan_from_mapping({"grid": {"network.seed": [0, 1, 2]}})
opened = store.lead(Path(sys.argv[1]), plan, False)
first, second, _ = plan.runs
opened.record(Outcome(first.id, Status.FINISHED, "a", "b", "{}", None, "w"))
def die():
    os.kill(os.getpid(), signal.SIGKILL)
    return "x"
opened._connection.create_function("die", 0, die)
opened._connection.execute("PRAGMA cache_spill = 1")
opened._connection.execute("BEGIN IMMEDIATE")
opened._connection.execute("UPDATE runs SET status = 'finished', result = hex(zeroblob(9000000)) WHERE id = ?", (second.id,))
opened._connection.execute("UPDATE runs SET error = die() WHERE id = ?", (second.id,))
"""


def test_killed_in_the_middle_of_a_transaction(tmp_path: Path) -> None:
    """The half-written pages are in the file (9 MB do not fit into the cache), and the journal takes them back."""
    path, plan = tmp_path / "s.db", plan_of(0, 1, 2)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.stat().st_size > 9_000_000
    assert (tmp_path / "s.db-journal").exists()
    with lead(path, plan, False) as store:
        assert [run.status for run in store.runs()] == [Status.FINISHED, Status.PLANNED, Status.PLANNED]


def tampered(path: Path, plan: Plan, statement: str) -> None:
    lead(path, plan, False).close()
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("PRAGMA user_version = 2", "has layout 2, and this version of overparam reads layout 1"),
        ("PRAGMA application_id = 7", "is not the store of a sweep"),
        ("UPDATE sweep SET version = '0.0.9'", "was written by overparam 0.0.9"),
    ],
)
@pytest.mark.parametrize("resume", [False, True, None])
def test_files_of_another_version_are_refused(statement: str, words: str, resume: bool | None, tmp_path: Path) -> None:
    path, plan = tmp_path / "s.db", plan_of(0)
    tampered(path, plan, statement)
    before = path.read_bytes()
    with pytest.raises(ProblemError) as caught:
        read(path, plan) if resume is None else lead(path, plan, resume)
    assert words in str(caught.value)
    assert path.read_bytes() == before


def other_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE sweep (version TEXT)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("not a database, " * 100), "is not the store of a sweep"),
        (other_database, "is not the store of a sweep"),
        (lambda path: path.mkdir(), "is a directory"),
        (os.mkfifo, "is not a regular file"),
    ],
)
def test_what_is_no_store_is_refused_and_left_alone(make: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    for use in (lambda: lead(path, plan_of(0), False), lambda: read(path, plan_of(0))):
        with pytest.raises(ProblemError, match=words):
            use()
    assert before is None or path.read_bytes() == before


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="cannot be opened: unable to open database file"):
        lead(tmp_path / "missing" / "s.db", plan_of(0), False)
    with pytest.raises(ProblemError, match="does not exist"):
        read(tmp_path / "s.db", plan_of(0))


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """What a process leaves that is killed between making the file and filling it."""
    (tmp_path / "s.db").touch()
    with lead(tmp_path / "s.db", plan_of(0), False) as store:
        assert isinstance(store, Store)
        assert len(store.unfinished()) == 1


def test_an_interrupted_transaction_is_taken_back(tmp_path: Path) -> None:
    plan = plan_of(0)
    with lead(tmp_path / "s.db", plan, False) as store:
        with contextlib.suppress(KeyboardInterrupt), stores._transaction(store._connection):
            store._connection.execute("UPDATE runs SET status = 'finished'")
            raise KeyboardInterrupt
        assert store.counts()[Status.PLANNED] == 1
