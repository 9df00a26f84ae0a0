"""Tables as JSON: schema "overparam-table-1", described in docs/tables.md."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from verify.tables.records import Table, tool_version

SCHEMA = "overparam-table-1"


def as_json(tables: Sequence[Table]) -> str:
    """The full records; the inputs of a row as an object of strings, in the order of its kind's keys."""
    document = {
        "schema": SCHEMA,
        "version": tool_version(),
        "tables": [
            {
                "title": table.title,
                "count": len(table.rows),
                "rows": [{**dataclasses.asdict(row), "inputs": dict(row.inputs)} for row in table.rows],
            }
            for table in tables
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
