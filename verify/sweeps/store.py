"""The store of a sweep: one SQLite file in which a run is either finished, with its result, or still to be done.

Every outcome is one transaction, written by the one process that leads the sweep; a run under way has no trace in the file. So
whatever ends the process (Ctrl-C, kill -9, a power cut) the file holds exactly the runs that were finished, and those are never
run again. The journal is SQLite's rollback journal with full synchronization: a write-ahead log needs shared memory, which the
network file systems of clusters do not have.

Beside the store FILE lies FILE.lock, an empty database in which the leading process holds a transaction open: the operating
system gives the lock back when the process ends, however it ends. Two sweeps of one store would run things twice; readers are
not locked out.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from verify.errors import ProblemError
from verify.fields import one_line
from verify.files import regular_file
from verify.sweeps.plan import Plan, canonical, tool_version
from verify.sweeps.single import Outcome, Status, now

APPLICATION = 0x4F765377  # "OvSw", in SQLite's header: says that the file is ours
LAYOUT = 1  # of the tables; a file with another one is refused
_SCHEMA = """
CREATE TABLE sweep (
    version TEXT NOT NULL, created TEXT NOT NULL, changed TEXT NOT NULL, digest TEXT NOT NULL, plan TEXT NOT NULL
);
CREATE TABLE runs (
    id TEXT PRIMARY KEY, place INTEGER, problem TEXT NOT NULL, status TEXT NOT NULL,
    started TEXT, finished TEXT, result TEXT, error TEXT, worker TEXT
);
"""


@dataclass(frozen=True)
class StoredRun:
    """What the store holds of one run of the plan."""

    id: str
    problem: dict[str, dict[str, Any]]
    status: Status
    started: str | None
    finished: str | None
    result: dict[str, Any] | None
    error: str | None
    worker: str | None


class Store:
    """An open store; a context manager. Made by ``lead`` or ``read``."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: sqlite3.Connection | None) -> None:
        self.path, self._connection, self._lock = path, connection, lock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the file and its lock back. What was recorded is in the file already."""
        self._connection.close()
        if self._lock is not None:
            self._lock.close()

    def unfinished(self, retry_failed: bool = False) -> set[str]:
        """The names of the plan's runs to be done: planned, lost by their worker, and the failed ones too if they are wanted."""
        wanted = [Status.PLANNED.value, Status.LOST.value, *([Status.FAILED.value] if retry_failed else [])]
        query = f"SELECT id FROM runs WHERE place IS NOT NULL AND status IN ({', '.join('?' * len(wanted))})"
        with _refusals(self.path, "read"):
            return {row[0] for row in self._connection.execute(query, wanted)}

    def record(self, outcome: Outcome) -> None:
        """Write an outcome, in a transaction of its own. A finished run is never overwritten."""
        values = (outcome.status.value, outcome.started, outcome.finished, outcome.result, outcome.error, outcome.worker)
        with _refusals(self.path, "written"), _transaction(self._connection):
            self._connection.execute(
                "UPDATE runs SET status = ?, started = ?, finished = ?, result = ?, error = ?, worker = ? "
                "WHERE id = ? AND status != ?",
                (*values, outcome.id, Status.FINISHED.value),
            )

    def counts(self) -> dict[Status, int]:
        """How many of the plan's runs have each status."""
        with _refusals(self.path, "read"):
            rows = self._connection.execute("SELECT status, count(*) FROM runs WHERE place IS NOT NULL GROUP BY status")
            found = {Status(name): number for name, number in rows}
        return {status: found.get(status, 0) for status in Status}

    def runs(self) -> Iterator[StoredRun]:
        """The plan's runs in its order; each is read by itself, so that a reader never keeps a running sweep from writing."""
        query = "SELECT id, problem, status, started, finished, result, error, worker FROM runs WHERE id = ?"
        with _refusals(self.path, "read"):
            names = self._connection.execute("SELECT id FROM runs WHERE place IS NOT NULL ORDER BY place").fetchall()
        for chosen in names:
            with _refusals(self.path, "read"):
                row = self._connection.execute(query, chosen).fetchone()
            name, problem, status, started, finished, result, error, worker = row
            document = json.loads(result) if result is not None else None
            yield StoredRun(name, json.loads(problem), Status(status), started, finished, document, error, worker)


def lead(path: Path, plan: Plan, resume: bool) -> Store:
    """Open the store for a sweep, making it where there is none, and put the plan into it.

    An existing store of the same plan is continued. One of another plan is refused, unless ``resume``: then runs that both plans
    have are kept, those that only the old plan had stay in the file without a place, and the new ones are added. ``resume``
    refuses to begin a store. Raises ProblemError, one sentence, also for a file of another version and for a store in use.
    """
    if resume and not path.exists():
        raise ProblemError(f"there is nothing to resume: the store {str(path)!r} does not exist")
    if path.exists():
        regular_file(path, f"the store {str(path)!r}")
    with contextlib.ExitStack() as opened:
        lock = _locked(path)
        opened.callback(lock.close)
        with _refusals(path, "opened"):
            connection = sqlite3.connect(path, timeout=10, isolation_level=None)
            opened.callback(connection.close)
            connection.execute("PRAGMA synchronous = FULL")
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0 and path.stat().st_size == 0:
                _begin(connection, plan)
            else:
                _require_ours(connection, path)
                _continue(connection, path, plan, resume)
        opened.pop_all()
    return Store(path, connection, lock)


def read(path: Path, plan: Plan) -> Store:
    """Open an existing store of this plan for reading, also while a sweep runs. Raises ProblemError."""
    regular_file(path, f"the store {str(path)!r}")
    with contextlib.ExitStack() as opened, _refusals(path, "opened"):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", timeout=10, isolation_level=None, uri=True)
        opened.callback(connection.close)
        connection.execute("PRAGMA query_only = ON")
        _require_ours(connection, path)
        _require_same(connection, path, plan)
        opened.pop_all()
    return Store(path, connection, None)


def _begin(connection: sqlite3.Connection, plan: Plan) -> None:
    with _transaction(connection):
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {LAYOUT}")
        connection.execute("INSERT INTO sweep VALUES (?, ?, ?, ?, ?)", (plan.version, now(), now(), plan.digest, _given(plan)))
        _place(connection, plan)


def _continue(connection: sqlite3.Connection, path: Path, plan: Plan, resume: bool) -> None:
    if not resume:
        _require_same(connection, path, plan)
    with _transaction(connection):
        connection.execute("UPDATE sweep SET changed = ?, digest = ?, plan = ?", (now(), plan.digest, _given(plan)))
        connection.execute("UPDATE runs SET place = NULL")
        _place(connection, plan)


def _place(connection: sqlite3.Connection, plan: Plan) -> None:
    rows = [(run.id, place, canonical(run.problem), Status.PLANNED.value) for place, run in enumerate(plan.runs)]
    connection.executemany(
        "INSERT INTO runs (id, place, problem, status) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET place = excluded.place",
        rows,
    )


def _given(plan: Plan) -> str:
    return canonical({"keys": plan.keys, "given": plan.given})


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is not a store, and what another version wrote."""
    ours, layout = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if ours != APPLICATION:
        raise ProblemError(f"{str(path)!r} is not the store of a sweep; name another file with --store")
    if layout != LAYOUT:
        raise ProblemError(
            f"the store {str(path)!r} has layout {layout}, and this version of overparam reads layout {LAYOUT}; "
            "name another file with --store"
        )
    (version,) = connection.execute("SELECT version FROM sweep").fetchone()
    if version != tool_version():
        raise ProblemError(
            f"the store {str(path)!r} was written by overparam {version}, and this is {tool_version()}: "
            "results of two versions do not mix; name another file with --store"
        )


def _require_same(connection: sqlite3.Connection, path: Path, plan: Plan) -> None:
    (digest,) = connection.execute("SELECT digest FROM sweep").fetchone()
    if digest == plan.digest:
        return
    known = {row[0] for row in connection.execute("SELECT id FROM runs WHERE place IS NOT NULL")}
    planned = {run.id for run in plan.runs}
    raise ProblemError(
        f"the store {str(path)!r} belongs to another plan: {len(planned - known)} of this plan's {len(planned)} runs are not in "
        f"it, and {len(known - planned)} of its {len(known)} runs are not in this plan; --resume goes over to this plan and keeps "
        "what both have, --store names another file"
    )


def _locked(path: Path) -> sqlite3.Connection:
    """The connection that holds the lock of a store."""
    beside = path.with_name(path.name + ".lock")
    with contextlib.ExitStack() as opened, _refusals(beside, "opened"):
        lock = sqlite3.connect(beside, timeout=0, isolation_level=None)
        opened.callback(lock.close)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise ProblemError(f"the store {str(path)!r} is in use by another sweep") from None
            raise
        opened.pop_all()
    return lock


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, also when the block is interrupted."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _refusals(path: Path, verb: str) -> Iterator[None]:
    """SQLite's errors as one sentence."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise ProblemError(f"{str(path)!r} is not the store of a sweep; name another file with --store") from None
        raise ProblemError(f"the store {str(path)!r} cannot be {verb}: {one_line(error)}") from None
