"""`overparam table --check FILE`: a table computed again, and the digits that cannot be right.

Our own tables (.csv, .json) are computed again from the inputs of their rows and compared column by column. A CSV of somebody
else has the columns activation, constant, value or expression, value; its decimals are judged by ``verify.tables.published``.
Exit status: 2 a row is malformed, else 1 something cannot be right, else 3 something is undecided, else 0.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify.errors import ProblemError
from verify.fields import one_line
from verify.files import regular_file
from verify.tables.check_others import HEADERS, check_published
from verify.tables.check_own import Given, check_rows
from verify.tables.csv_format import HEADER
from verify.tables.findings import Checked
from verify.tables.json_format import SCHEMA
from verify.tables.records import COLUMNS

LARGEST_FILE = 2**25
MOST_COLUMNS = 64


@dataclass(frozen=True)
class _Line:
    number: int
    cells: list[str]


def check_file(path: Path) -> Checked:
    """Check a table. Raises ProblemError where the file is no table at all, or has no rows; a malformed row is a finding."""
    what = f"table file {str(path)!r}"
    found = _checked(path, what)
    if not found.findings:
        raise ProblemError(f"{what} has no rows: there is nothing to check")
    return found


def _checked(path: Path, what: str) -> Checked:
    try:
        if regular_file(path, what).stat().st_size > LARGEST_FILE:
            raise ProblemError(f"{what} has more than the {LARGEST_FILE} bytes it may have")
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ProblemError(f"{what} cannot be read: {one_line(error.strerror or error)}") from None
    except UnicodeDecodeError as error:
        raise ProblemError(f"{what} is not UTF-8 text: {one_line(error)}") from None
    if path.suffix.lower() == ".json":
        return check_rows(_rows_of_json(content, what), path.parent)
    if path.suffix.lower() != ".csv":
        raise ProblemError(f"{what} must have a name that ends in .csv or .json")
    lines = _lines(content, what)
    head = [cell.strip() for cell in lines[0].cells]
    if head == list(HEADER):
        return check_rows(_rows_of_csv(lines[1:]), path.parent)
    names = [cell.lower() for cell in head]
    for wanted in HEADERS:
        if set(wanted) <= set(names):
            twice = next((name for name in wanted if names.count(name) > 1), None)
            if twice is not None:
                raise ProblemError(f"{what} must have one column {twice!r}, got {names.count(twice)}")
            places = [names.index(name) for name in wanted]
            return check_published(wanted, places, [(line.number, line.cells) for line in lines[1:]], len(head))
    for separator, word in ((";", "semicolons"), ("\t", "tabulators")):
        if len(head) == 1 and head[0].count(separator) > 0:
            raise ProblemError(f"{what} has {word} between its columns: write commas there, and points in decimals")
    raise ProblemError(
        f"{what} must have the columns {' or '.join(', '.join(wanted) for wanted in HEADERS)}, or be a table of overparam, "
        f"got {', '.join(head)[:80]!r}"
    )


def _lines(content: str, what: str) -> list[_Line]:
    if "\0" in content:
        raise ProblemError(
            f"{what} is no CSV: it has a null character in line {content[: content.index(chr(0))].count(chr(10)) + 1}"
        )
    first = content.partition("\n")[0]
    if first.count(",") >= MOST_COLUMNS:
        raise ProblemError(f"{what} must have at most {MOST_COLUMNS} columns, got {first.count(',') + 1}")
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    lines = []
    try:
        lines += [_Line(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ProblemError(f"{what} cannot be read as .csv in line {reader.line_num}: {one_line(error)}") from None
    if not lines:
        raise ProblemError(f"{what} is empty")
    return lines


def _rows_of_csv(lines: list[_Line]) -> list[Given]:
    found = []
    for line in lines:
        where = f"line {line.number}"
        if len(line.cells) != len(HEADER):
            found.append(Given(where, None, f"it has {len(line.cells)} cells and not {len(HEADER)}"))
            continue
        cells = dict(zip(HEADER, line.cells, strict=True))
        found.append(Given(where, cells, "", cells.pop("row"), cells.pop("rows")))
    return found


def _rows_of_json(content: str, what: str) -> list[Given]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ProblemError(f"{what} is not valid JSON: {one_line(error)[:100]}") from None
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise ProblemError(f"{what} must be a table of overparam with the schema {SCHEMA!r}")
    found = []
    for place, table in enumerate(_list(document.get("tables"), what, "tables")):
        if not isinstance(table, Mapping):
            raise ProblemError(f"{what}: tables[{place}] must be an object")
        for number, row in enumerate(_list(table.get("rows"), what, f"tables[{place}].rows"), 1):
            found.append(_row_of_json(f"tables[{place}].rows[{number - 1}]", row, table, document, number))
    return found


def _row_of_json(where: str, row: Any, table: Mapping[str, Any], document: Mapping[str, Any], number: int) -> Given:
    if not isinstance(row, Mapping) or set(row) != set(COLUMNS):
        return Given(where, None, f"it must be an object with the keys {', '.join(COLUMNS)}")
    cells = {name: json.dumps(value) if name == "inputs" else value for name, value in row.items()}
    if not all(isinstance(value, str) for value in cells.values()):
        return Given(where, None, "every value but inputs must be a string")
    if row["table"] != table.get("title"):
        return Given(where, None, f"its table {row['table'][:60]!r} is not the title {str(table.get('title'))[:60]!r}")
    if row["version"] != document.get("version"):
        return Given(where, None, f"its version {row['version'][:60]!r} is not that of the document")
    return Given(where, cells, "", str(number), str(table.get("count")))


def _list(value: Any, what: str, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ProblemError(f"{what}: {name} must be a list")
    return value
