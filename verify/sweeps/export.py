"""The table of a sweep: one flat row for each run of the plan, as csv, parquet or json.

Numbers of the certificate are those that keep its statement true: q, beta, radius, rate and the residual at certification are
upper ends of their enclosures, lambda0 is the lower end, each rounded to a double in that direction. What does not exist (no
certificate, a failed run, a key that does not apply) is empty.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from verify.errors import ProblemError
from verify.files import atomic_writer
from verify.rigor import float_above
from verify.sweeps.plan import Plan, value_at
from verify.sweeps.single import Status
from verify.sweeps.store import Store, StoredRun
from verify.verdict import Verdict

SCHEMA = "overparam-sweep-1"
UPPER = ("q", "beta", "radius", "rate", "residual")
LOWER = ("lambda0",)
TEXT, WHOLE, NUMBER, TRUTH = "string", "int64", "float64", "bool_"
COLUMNS = {
    "id": TEXT,
    "status": TEXT,
    "certified": TRUTH,
    "certified_at_start": TRUTH,
    "theorem": TEXT,
    "rigor": TEXT,
    "step": WHOLE,
    "residual": NUMBER,
    "q": NUMBER,
    "lambda0": NUMBER,
    "beta": NUMBER,
    "radius": NUMBER,
    "rate": NUMBER,
    "step_size": NUMBER,
    "steps": WHOLE,
    "stopped": TEXT,
    "residual_at_start": NUMBER,
    "residual_at_end": NUMBER,
    "displacement": NUMBER,
    **{verdict.name.lower(): WHOLE for verdict in Verdict},
    "exit_status": WHOLE,
    "seconds_prepare": NUMBER,
    "seconds_train": NUMBER,
    "seconds_check": NUMBER,
    "started": TEXT,
    "finished": TEXT,
    "worker": TEXT,
    "error": TEXT,
}
"""The columns beside those of the plan's keys, and their kinds."""

Row = dict[str, Any]


def sweep_rows(plan: Plan, store: Store) -> list[Row]:
    """One row for each run, in the plan's order: the values of the plan's keys, then COLUMNS; None where there is no value."""
    return [_row(plan, run) for run in store.runs()]


def writer_for(path: Path) -> Callable[[Plan, list[Row]], None]:
    """Return the function that writes the table to ``path``, in the format its name ends in.

    Raises ProblemError, before any work is done: for another ending, a folder that does not exist, or parquet without pyarrow.
    """
    makers = {".csv": _csv, ".json": _json, ".parquet": _parquet}
    make = makers.get(path.suffix.lower())
    what = f"--export {str(path)!r}"
    if make is None:
        raise ProblemError(f"{what} must have a name that ends in {', '.join(makers)}")
    if path.is_dir() or not path.parent.is_dir():
        raise ProblemError(f"{what} cannot be written: it must be a file in a folder that exists")
    if make is _parquet:
        _pyarrow()

    def write(plan: Plan, rows: list[Row]) -> None:
        content = make(plan, rows)
        try:
            with atomic_writer(path) as file:
                file.write(content)
        except OSError as error:
            raise ProblemError(f"{what} cannot be written: {error.strerror or error}") from None

    return write


def table_document(plan: Plan, rows: list[Row]) -> dict[str, Any]:
    """The table as one JSON document; values of keys as they stand in problem files."""
    counts = {status.value: sum(row["status"] == status.value for row in rows) for status in Status}
    return {
        "schema": SCHEMA,
        "version": plan.version,
        "plan": plan.digest,
        "keys": list(plan.keys),
        "counts": counts,
        "status": sweep_status(rows),
        "runs": rows,
    }


def sweep_status(rows: Iterable[Row]) -> int:
    """The exit status of a sweep: 1 where a check of some run is violated; 3 where a run has no certificate, an undecided check
    or no result; else 0."""
    found = [row["exit_status"] for row in rows]
    if 1 in found:
        return 1
    return 0 if all(status == 0 for status in found) else 3


def _row(plan: Plan, run: StoredRun) -> Row:
    row: Row = {key: value_at(run.problem, key) for key in plan.keys} | dict.fromkeys(COLUMNS)
    row |= {"id": run.id, "status": run.status.value, "error": run.error, "worker": run.worker}
    row |= {"started": run.started, "finished": run.finished}
    if run.result is None:
        return row
    result, certificate, trained = run.result, run.result["certificate"], run.result["run"]
    row |= {name: certificate[name] for name in ("certified", "theorem", "rigor", "step")}
    if not certificate["certified"]:
        row["theorem"] = None  # it is the one that came nearest, and certifies nothing
    row["certified_at_start"] = result["certificate_at_start"]["certified"]
    if certificate["certified"]:
        constants = certificate["constants"]
        row |= {name: _above(constants[name]["upper"]) for name in UPPER}
        row |= {name: _below(constants[name]["lower"]) for name in LOWER}
    row |= {"step_size": result["step_size"], "exit_status": result["status"]}
    row |= {name: trained[name] for name in ("steps", "stopped", "residual_at_start", "residual_at_end", "displacement")}
    row |= {verdict.name.lower(): result["counts"][verdict.name] for verdict in Verdict}
    return row | {f"seconds_{name}": seconds for name, seconds in result["timing"].items()}


def _above(decimal: str) -> float:
    return float_above(Fraction(decimal))


def _below(decimal: str) -> float:
    return -float_above(-Fraction(decimal))


def _csv(plan: Plan, rows: list[Row]) -> bytes:
    """Lists as JSON; what does not exist is empty; doubles with the digits that give them back."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    names = [*plan.keys, *COLUMNS]
    table.writerow(names)
    table.writerows([[_cell(row[name]) for name in names] for row in rows])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str | float):
        return value
    return json.dumps(value)  # lists, and truth as true and false like in the problem file


def _json(plan: Plan, rows: list[Row]) -> bytes:
    from verify.output import as_text

    return as_text(table_document(plan, rows)).encode()


def _parquet(plan: Plan, rows: list[Row]) -> bytes:
    """Typed columns. A key has its own type if all its values have one, lists of integers too; else its values stand as JSON."""
    pyarrow = _pyarrow()
    fields = []
    for key in plan.keys:
        kind = _key_kind([row[key] for row in rows])
        if kind is None:
            rows = [row | {key: None if row[key] is None else json.dumps(row[key])} for row in rows]
        fields.append((key, pyarrow.list_(pyarrow.int64()) if kind == "integers" else getattr(pyarrow, kind or TEXT)()))
    fields += [(name, getattr(pyarrow, kind)()) for name, kind in COLUMNS.items()]
    schema = pyarrow.schema(fields, metadata={"schema": SCHEMA, "version": plan.version, "plan": plan.digest})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), buffer)
    return buffer.getvalue()


def _key_kind(values: list[Any]) -> str | None:
    """The kind that all values of a key have, or None."""
    present = [value for value in values if value is not None]
    for kind, name in ((bool, TRUTH), (int, WHOLE), (float, NUMBER), (str, TEXT)):
        if present and all(type(value) is kind for value in present):
            return name
    if present and all(isinstance(value, list) and all(type(item) is int for item in value) for value in present):
        return "integers"
    return None


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ProblemError('a .parquet file needs pyarrow, which is not installed: pip install "overparam[parquet]"') from None
    return pyarrow
