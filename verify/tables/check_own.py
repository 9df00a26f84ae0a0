"""Our own tables computed again, row by row, from the inputs that they carry."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from theorems.errors import InputError
from verify.errors import ProblemError
from verify.fields import one_line, show
from verify.tables.csv_format import cells as cells_of
from verify.tables.findings import Checked, Found, Kind
from verify.tables.grid import Case, case_of_inputs
from verify.tables.keys import exact_decimal
from verify.tables.published import Finding, judge, read_decimal
from verify.tables.records import COLUMNS, Entry

NUMBERS = ("lower", "upper", "value")
INPUTS_LENGTH = 200_000


@dataclass(frozen=True)
class Given:
    """A row as it was read: where it stands, its texts by column (None: malformed, for that reason), its number of how many."""

    where: str
    cells: Mapping[str, str] | None
    reason: str
    row: str = ""
    rows: str = ""


@dataclass(frozen=True)
class _Known:
    case: Case
    entries: Mapping[str, Entry]


def check_rows(given: list[Given], folder: Path) -> Checked:
    """Compare every row with what its inputs give now; relative data paths are relative to ``folder``."""
    cache: dict[tuple[str, str], _Known] = {}
    findings: list[Found] = []
    for item in given:
        if item.cells is None:
            findings.append(Found(Kind.MALFORMED, item.where, "", item.reason))
        else:
            findings += _checked(item, item.cells, folder, cache)
    return Checked((*findings, *_gaps(given)))


def _gaps(given: list[Given]) -> Iterator[Found]:
    """Rows that are missing, repeated or out of place: within a run of rows of one table they count 1, 2, ... to its size."""
    previous: Given | None = None
    expected = 1
    for item in given:
        if item.cells is None:  # it stands for a row that cannot be read
            expected += previous is not None
            continue
        new = (
            previous is None
            or previous.cells is None
            or item.cells["table"] != previous.cells["table"]
            or expected > _size(previous)
        )
        if new and previous is not None and expected <= _size(previous):
            yield Found(Kind.WRONG, previous.where, "", f"the table ends with row {expected - 1} of {previous.rows}")
        expected = 1 if new else expected
        same = previous is not None and previous.cells is not None and item.cells["table"] == previous.cells["table"]
        place, agrees = _count(item.row), new or previous is None or item.rows == previous.rows
        if expected < place <= _size(item) and agrees and new != same:
            missing = f"row {expected} is" if place == expected + 1 else f"rows {expected} to {place - 1} are"
            yield Found(Kind.WRONG, item.where, "", f"{missing} missing before row {place} of {item.rows[:20]}")
            expected = place
        elif item.row != str(expected) or not agrees or _size(item) < expected:
            yield Found(Kind.WRONG, item.where, "", f"row {item.row[:20]} of {item.rows[:20]} stands where row {expected} should")
        # A row that comes again takes no other row's place.
        expected, previous = expected + (not 0 < place < expected), item
    if previous is not None and expected <= _size(previous):
        yield Found(Kind.WRONG, previous.where, "", f"the table ends with row {expected - 1} of {previous.rows}")


def _size(item: Given) -> int:
    return _count(item.rows)


def _count(text: str) -> int:
    found = exact_decimal(text) if text.isascii() and text.isdigit() else None
    return int(found) if found is not None else 0


def _checked(item: Given, cells: Mapping[str, str], folder: Path, cache: dict[tuple[str, str], _Known]) -> list[Found]:
    name = cells["id"][:120]
    try:
        known = _known(cells, folder, cache)
        entry = known.entries.get(cells["constant"])
        if entry is None:
            raise ProblemError(f"there is no constant {cells['constant'][:60]!r} for these inputs")
        now = dict(zip(COLUMNS, cells_of(known.case.row(entry, cells["table"])), strict=True))
    except (ProblemError, InputError) as error:
        return [Found(Kind.MALFORMED, item.where, name, one_line(error)[:300])]
    if cells["version"] != now["version"]:
        return _compared_versions(item.where, name, cells, now)
    found = []
    for column in COLUMNS:
        if cells[column] != now[column]:
            found.append(Found(Kind.WRONG, item.where, name, _difference(column, cells[column], now[column])))
    return found or [Found(Kind.RIGHT, item.where, name, "")]


def _known(cells: Mapping[str, str], folder: Path, cache: dict[tuple[str, str], _Known]) -> _Known:
    key = (cells["kind"], cells["inputs"])
    if key not in cache:
        case = case_of_inputs("inputs", cells["kind"], _inputs(cells["inputs"]), folder)
        cache.clear()  # the rows of one case stand together
        cache[key] = _Known(case, {entry.constant: entry for entry in case.entries()})
    return cache[key]


def _inputs(text: str) -> dict[str, str]:
    wanted = "inputs must be the JSON of an object of strings"
    if len(text) > INPUTS_LENGTH:
        raise ProblemError(f"{wanted}, of at most {INPUTS_LENGTH} characters")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ProblemError(f"{wanted}, got {show(text)}") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ProblemError(f"{wanted}, got {show(text)}")
    return found


def _difference(column: str, got: str, wanted: str) -> str:
    if column in NUMBERS:
        return f"{column} is printed as {marked(got, wanted)}, computed again it is {wanted or 'not there'}"
    return f"{column} is {_short(got)}, computed again it is {_short(wanted)}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


def marked(got: str, wanted: str) -> str:
    """The text with brackets from the first character on that differs."""
    place = next((i for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), min(len(got), len(wanted)))
    return f"{got[:60][:place]}[{got[:60][place:]}]"


def _compared_versions(where: str, name: str, cells: Mapping[str, str], now: Mapping[str, str]) -> list[Found]:
    """A row of another version is wrong only where its numbers cannot be: its enclosure misses ours, or its value is on the wrong
    side. Everything else that differs is told."""
    head = Found(Kind.NOTE, where, name, f"made by {cells['version'][:60]!r}, computed again by {now['version']!r}")
    differing = [column for column in COLUMNS if column not in (*NUMBERS, "version") and cells[column] != now[column]]
    notes = [Found(Kind.NOTE, where, name, _difference(column, cells[column], now[column])) for column in differing]
    if not any(cells[column] or now[column] for column in NUMBERS):
        return [head, *notes]
    numbers = {column: exact_decimal(cells[column]) for column in NUMBERS}
    ours = {column: exact_decimal(now[column]) for column in NUMBERS}
    if any(x is None for x in numbers.values()):
        return [head, *notes, Found(Kind.MALFORMED, where, name, "lower, upper and value must be decimals")]
    if any(x is None for x in ours.values()):
        return [head, *notes, Found(Kind.UNDECIDED, where, name, "this version encloses nothing here")]
    wrong = _impossible(cells["rounded"], _known_only(numbers), _known_only(ours))
    printed = read_decimal(cells["value"])
    if not wrong and cells["rounded"] == "nearest" and printed is not None:
        found = judge(printed, *(_known_only(ours)[end] for end in ("lower", "upper")))
        wrong = f"its value is {found.marked}" if found.finding is Finding.WRONG else ""
    if wrong:
        return [head, *notes, Found(Kind.WRONG, where, name, f"{wrong}; now in [{now['lower']}, {now['upper']}]")]
    return [head, *notes, Found(Kind.RIGHT, where, name, "")]


def _known_only(numbers: Mapping[str, Fraction | None]) -> dict[str, Fraction]:
    return {name: value for name, value in numbers.items() if value is not None}


def _impossible(rounded: str, theirs: Mapping[str, Fraction], ours: Mapping[str, Fraction]) -> str:
    low, high, value = theirs["lower"], theirs["upper"], theirs["value"]
    if low > ours["upper"] or high < ours["lower"] or low > high:
        return f"its enclosure [{float(low)!r}, {float(high)!r}] does not meet ours"
    if rounded == "up" and value < ours["lower"]:
        return "its value is rounded up and below our enclosure"
    if rounded == "down" and value > ours["upper"]:
        return "its value is rounded down and above our enclosure"
    if rounded == "exact" and not ours["lower"] <= value <= ours["upper"]:
        return "its value is called exact and lies outside our enclosure"
    return ""
