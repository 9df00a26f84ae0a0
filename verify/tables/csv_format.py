"""Tables as CSV (RFC 4180): a header, then one row a line; the inputs of a row as JSON in one cell."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from verify.tables.records import COLUMNS, Row, Table

HEADER = ("row", "rows", *COLUMNS)


def as_csv(tables: Sequence[Table]) -> str:
    """The tables one after the other under one header; ``row`` counts within a table of ``rows`` rows."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(HEADER)
    for table in tables:
        for place, row in enumerate(table.rows, 1):
            writer.writerow([str(place), str(len(table.rows)), *cells(row)])
    return file.getvalue()


def cells(row: Row) -> list[str]:
    """The texts of a row in the order of ``COLUMNS``."""
    return [inputs_text(row.inputs) if name == "inputs" else getattr(row, name) for name in COLUMNS]


def inputs_text(inputs: tuple[tuple[str, str], ...]) -> str:
    """Inputs as the JSON of an object of strings."""
    return json.dumps(dict(inputs), ensure_ascii=True)
