"""The terminal report of a sweep: a line for each run, the reasons of those that failed, and the counts."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from verify.fields import one_line
from verify.report import shown_above, shown_below
from verify.sweeps.export import LOWER, Row
from verify.sweeps.plan import Plan, shown_point
from verify.sweeps.single import Status

MOST_ROWS = 40
MOST_REASONS = 10
DIGITS = 4
SHOWN = ("step", "residual", "q", "lambda0", "radius")


def print_sweep(plan: Plan, rows: list[Row], console: Console) -> None:
    """Print the sweep's table, at most MOST_ROWS lines of it, and the counts."""
    table = Table(box=None, pad_edge=False)
    for key in plan.keys:
        table.add_column(key.partition(".")[2])
    for name in ("certified", *SHOWN, "holds", "violated", "undecided"):
        table.add_column(name, justify="right")
    for row in rows[:MOST_ROWS]:
        numbers = [_number(row, name) for name in (*SHOWN, "holds", "violated", "undecided")]
        keys = [Text("" if row[key] is None else one_line(row[key])) for key in plan.keys]
        table.add_row(*keys, _certified(row), *numbers)
    console.print(table)
    if len(rows) > MOST_ROWS:
        console.print(Text(f"... and {len(rows) - MOST_ROWS} runs more; --export writes all"))
    bad = [row for row in rows if row["error"] is not None]
    for row in bad[:MOST_REASONS]:
        console.print(Text(f"{row['status']}: {shown_point({key: row[key] for key in plan.keys})}: {row['error']}"))
    if len(bad) > MOST_REASONS:
        console.print(Text(f"... and {len(bad) - MOST_REASONS} runs more without a result"))
    console.print(Text(counts_line(rows)))


def counts_line(rows: list[Row]) -> str:
    """How many runs have which status, how many are certified, and the checks of all of them."""
    runs = ", ".join(f"{sum(row['status'] == status.value for row in rows)} {status.value}" for status in Status)
    certified = sum(row["certified"] is True for row in rows)
    checks = ", ".join(f"{sum(row[name] or 0 for row in rows)} {name.upper()}" for name in ("holds", "violated", "undecided"))
    return f"{len(rows)} runs: {runs}; {certified} certified; checks: {checks}"


def _certified(row: Mapping[str, Any]) -> str:
    if row["status"] != Status.FINISHED.value:
        return str(row["status"])
    return str(row["theorem"]) if row["certified"] else "no"


def _number(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    return (shown_below if name in LOWER else shown_above)(Fraction(value), DIGITS)
