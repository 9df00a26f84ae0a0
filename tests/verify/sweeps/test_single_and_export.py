"""Single runs, and the table made of them: against the result documents themselves, in all three formats."""

from __future__ import annotations

import csv
import io
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numba
import pyarrow.parquet
import pytest

from verify import verification
from verify.errors import ProblemError
from verify.problem import problem_from_mapping
from verify.result import result_json
from verify.sweeps import single
from verify.sweeps.export import COLUMNS, LOWER, UPPER, sweep_rows, sweep_status, writer_for
from verify.sweeps.plan import Plan, plan_from_mapping
from verify.sweeps.single import Status, Task, run_one, tasks_of
from verify.sweeps.store import Store, lead
from verify.workers import single_threaded

SWEEP = {
    "data": {"source": "gaussian", "dimension": 4, "points": 2},
    "training": {"steps": 60},
    "grid": {"network.hidden": [[64], [2]], "training.step_size": ["certified", 0.01]},
    "also": [
        {"data.points": 10**12},  # needs more memory than there is: found out when it runs, not when it is planned
        {"data": {"points": 1}, "loss.name": "log_cosh", "training.steps": 3},
    ],
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Store]:
    plan = plan_from_mapping(SWEEP)
    store = lead(tmp_path_factory.mktemp("sweep") / "s.db", plan, False)
    for task in tasks_of(plan, {run.id for run in plan.runs}):
        store.record(run_one(task))
    return plan, store


def test_a_run_is_what_verify_finds(swept: tuple[Plan, Store]) -> None:
    plan, store = swept
    expected = result_json(verification.verify(problem_from_mapping(plan.runs[0].problem)), {}, waterfall=False)
    stored = next(store.runs()).result
    assert stored is not None
    assert {**stored, "timing": 0} == {**json.loads(json.dumps(expected)), "timing": 0}


def test_a_failing_run_is_recorded_with_its_reason(swept: tuple[Plan, Store]) -> None:
    plan, store = swept
    rows = sweep_rows(plan, store)
    assert [row["status"] for row in rows] == ["finished"] * 4 + ["failed", "finished"]
    assert "of memory, but only" in rows[4]["error"]
    assert rows[4]["worker"] == single.worker_name()
    filled = {"id", "status", "started", "finished", "worker", "error"}
    assert {name for name in COLUMNS if rows[4][name] is not None} == filled
    assert all(row["error"] is None for place, row in enumerate(rows) if place != 4)


def test_numbers_are_on_the_safe_side_of_their_enclosures(swept: tuple[Plan, Store]) -> None:
    plan, store = swept
    certified = [(row, run.result) for row, run in zip(sweep_rows(plan, store), store.runs(), strict=True) if row["certified"]]
    assert certified
    for row, result in certified:
        constants = result["certificate"]["constants"]
        for name in UPPER:
            end = Fraction(constants[name]["upper"])
            assert math.nextafter(row[name], -math.inf) < end <= Fraction(row[name])
        for name in LOWER:
            end = Fraction(constants[name]["lower"])
            assert Fraction(row[name]) <= end < math.nextafter(row[name], math.inf)
        assert row["step"] == result["certificate"]["step"]


def test_rows_without_a_certificate_claim_nothing(swept: tuple[Plan, Store]) -> None:
    rows = [row for row in sweep_rows(*swept) if row["certified"] is False]
    assert rows
    for row in rows:
        assert [row[name] for name in ("theorem", "step", *UPPER, *LOWER)] == [None] * (2 + len(UPPER) + len(LOWER))
        assert row["exit_status"] == 3


def written(swept: tuple[Plan, Store], path: Path) -> tuple[list[dict[str, Any]], bytes]:
    plan, store = swept
    rows = sweep_rows(plan, store)
    writer_for(path)(plan, rows)
    return rows, path.read_bytes()


def test_csv_gives_every_value_back(swept: tuple[Plan, Store], tmp_path: Path) -> None:
    rows, content = written(swept, tmp_path / "t.csv")
    found = list(csv.DictReader(io.StringIO(content.decode())))
    assert list(found[0]) == [*swept[0].keys, *COLUMNS]
    for row, cells in zip(rows, found, strict=True):
        for name, value in row.items():
            text = cells[name]
            assert (text == "") if value is None else (text == value if isinstance(value, str) else json.loads(text) == value)


def test_json_gives_every_value_back(swept: tuple[Plan, Store], tmp_path: Path) -> None:
    rows, content = written(swept, tmp_path / "t.json")
    document = json.loads(content)
    assert document["runs"] == rows
    assert document["keys"] == list(swept[0].keys)
    assert document["counts"] == {"planned": 0, "finished": 5, "failed": 1, "lost": 0}
    assert document["status"] == 3


def test_parquet_gives_every_value_back(swept: tuple[Plan, Store], tmp_path: Path) -> None:
    rows, _ = written(swept, tmp_path / "t.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    mixed = "training.step_size"  # "certified" or a number: no type holds both
    expected = [{**row, mixed: json.dumps(row[mixed])} for row in rows]
    assert table.to_pylist() == expected
    kinds = {
        name: str(table.schema.field(name).type) for name in ("network.hidden", mixed, "data.points", "q", "certified", "error")
    }
    assert list(kinds.values()) == ["list<element: int64>", "string", "int64", "double", "bool", "string"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("t.xlsx", "must have a name that ends in .csv, .json, .parquet"), ("missing/t.csv", "a file in a folder that exists")],
)
def test_where_a_table_cannot_go(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match=words):
        writer_for(tmp_path / name)


def test_status_of_a_sweep() -> None:
    assert sweep_status([{"exit_status": 0}, {"exit_status": 0}]) == 0
    assert sweep_status([{"exit_status": 0}, {"exit_status": None}]) == 3  # failed, lost or not yet run
    assert sweep_status([{"exit_status": 3}, {"exit_status": 1}, {"exit_status": None}]) == 1


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RuntimeError("of\nours"), Status.FAILED, "unexpected RuntimeError at test_single_and_export.py:"),
        (OverflowError(), Status.FAILED, "exceeds the range of double precision"),
        (MemoryError(), Status.FAILED, "does not fit into memory"),
    ],
)
def test_whatever_a_run_raises_becomes_its_reason(
    error: Exception, status: Status, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(problem: object) -> None:
        raise error

    monkeypatch.setattr(verification, "verify", broken)
    (task,) = tasks_of(plan := plan_from_mapping({"also": [{"network.seed": 0}]}), {plan.runs[0].id})
    found = run_one(task)
    assert (found.status, found.result) == (status, None)
    assert found.error is not None
    assert words in found.error
    assert "\n" not in found.error


def test_a_worker_of_another_version_loses_the_run() -> None:
    found = run_one(Task("x", {}, "", "0.0.0"))
    assert found.status is Status.LOST
    assert found.error is not None
    assert "the sweep was planned by 0.0.0" in found.error


def test_one_thread_and_the_threads_given_back() -> None:
    before = numba.get_num_threads()
    with single_threaded():
        assert numba.get_num_threads() == 1
    assert numba.get_num_threads() == before
