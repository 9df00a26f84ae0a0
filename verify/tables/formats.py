"""The formats of tables, one line each: a function from tables to text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from verify.tables.csv_format import as_csv
from verify.tables.json_format import as_json
from verify.tables.latex_format import as_latex
from verify.tables.markdown_format import as_markdown
from verify.tables.records import Table

FORMATS: dict[str, Callable[[Sequence[Table]], str]] = {
    "csv": as_csv,
    "json": as_json,
    "latex": as_latex,
    "markdown": as_markdown,
}
SUFFIXES = {"csv": ".csv", "json": ".json", "latex": ".tex", "markdown": ".md"}
