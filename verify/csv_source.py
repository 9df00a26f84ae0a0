"""Points from a .csv file: comma-separated numbers, one row a point, one column the target."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from theorems.errors import nearest
from verify.errors import ProblemError
from verify.fields import listing, one_line
from verify.files import regular_file
from verify.memory import require_memory
from verify.options import DataOptions
from verify.sources import Table

_BYTES_PER_FILE_BYTE = 12  # a cell takes two characters or more and becomes eight bytes, twice, or the text of a label


def csv_file(options: DataOptions, weights: str | None) -> Table:
    """Return the rows of a .csv file.

    The first row is a header if none of its cells is a number. The target is the column ``data.target``, or the last
    one; the sample weights are the column that ``weights`` names; every other column is a feature. With ``data.classes``
    the target column holds labels, as they are written. Blank lines are skipped. Raises ProblemError naming row and
    column: rows of data count from 0, lines of the file from 1.
    """
    what = f"data.source {options.source!r}"
    size = regular_file(options.path, what).stat().st_size
    require_memory(_BYTES_PER_FILE_BYTE * size, f"reading {what}")
    try:
        with open(options.path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            return _read(((reader.line_num, row) for row in reader), what, options, weights)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise ProblemError(f"{what} cannot be read as .csv: {one_line(error)}") from None


@dataclass(frozen=True)
class _Columns:
    """Which columns are what, and how messages call them."""

    what: str
    count: int
    header: tuple[str, ...]
    target: int
    weights: int | None
    features: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        rest = tuple(i for i in range(self.count) if i not in (self.target, self.weights))
        object.__setattr__(self, "features", rest)

    def name(self, index: int) -> str:
        """Name a column in a message."""
        return f"column {index}" + (f" ({self.header[index]!r})" if self.header else "")


def _read(rows: Iterator[tuple[int, list[str]]], what: str, options: DataOptions, weights: str | None) -> Table:
    rows = ((line, row) for line, row in rows if row)
    first = next(rows, None)
    if first is None:
        raise ProblemError(f"{what} is empty")
    header: tuple[str, ...] = ()
    if all(_number(cell) is None for cell in first[1]):
        header = tuple(cell.strip() for cell in first[1])
        first = next(rows, None)
    if first is None:
        raise ProblemError(f"{what} has a header and no rows")
    columns = _columns(what, len(header or first[1]), header, options.target, weights)
    return _table(columns, chain([first], rows), options)


def _table(columns: _Columns, rows: Iterator[tuple[int, list[str]]], options: DataOptions) -> Table:
    """Read the rows of data, numbers into one flat array of doubles."""
    numeric = [*columns.features]
    if options.classes is None:
        numeric.append(columns.target)
    if columns.weights is not None:
        numeric.append(columns.weights)
    numbers, lines, labels = array("d"), [], []
    for index, (line, row) in enumerate(rows):
        if len(row) != columns.count:
            first = "header" if columns.header else "first row"
            raise ProblemError(
                f"{columns.what}: row {index} (line {line}) has {len(row)} cells, but the {first} has {columns.count}"
            )
        for column in numeric:
            value = _number(row[column])
            if value is None:
                raise _not_a_number(columns, index, line, column, row[column], options)
            numbers.append(value)
        lines.append(line)
        labels.append(row[columns.target].strip())
        if options.classes is not None and not _is_label(labels[-1]):
            place = f"row {index} (line {line}), {columns.name(columns.target)}"
            raise ProblemError(f"{columns.what}: {place} is {labels[-1]!r}, but every row must have a label")
    values: NDArray[np.float64] = np.frombuffer(numbers, dtype=np.float64).reshape(len(lines), len(numeric))
    d = len(columns.features)
    return Table(
        what=columns.what,
        features=np.ascontiguousarray(values[:, :d]),
        targets=values[:, d : d + 1].copy() if options.classes is None else None,
        labels=tuple(labels) if options.classes is not None else None,
        feature_names=tuple(columns.header[i] for i in columns.features) if columns.header else (),
        lines=tuple(lines),
        weights=values[:, -1].copy() if columns.weights is not None else None,
    )


def _columns(what: str, count: int, header: tuple[str, ...], target: str | None, weights: str | None) -> _Columns:
    """Find the target and the weights among the columns; at least one feature must be left."""
    weight_column = None if weights is None else _named(what, header, "loss.weights", weights)
    if target is None:
        free = [i for i in range(count) if i != weight_column]
        target_column = free[-1] if free else 0
    else:
        target_column = _named(what, header, "data.target", target)
    if target_column == weight_column:
        raise ProblemError(f"{what} cannot use column {weights!r} both as data.target and as loss.weights")
    columns = _Columns(what, count, header, target_column, weight_column)
    if not columns.features:
        raise ProblemError(
            f"{what} must have at least one feature column beside the target, got {count} column(s) (cells are separated by commas)"
        )
    return columns


def _named(what: str, header: tuple[str, ...], key: str, name: str) -> int:
    """The place of a named column."""
    if not header:
        raise ProblemError(f"{key} names the column {name!r}, but {what} has no header")
    if header.count(name) > 1:
        raise ProblemError(f"{key} names the column {name!r}, which {what} has {header.count(name)} times")
    if name not in header:
        hint = nearest(name, header) or f": its columns are {listing(header)}"
        raise ProblemError(f"{key} names the column {name!r}, which {what} does not have{hint}")
    return header.index(name)


def _number(cell: str) -> float | None:
    """The number in a cell, or None. Narrower than ``float``: no underscores, no digits of other scripts."""
    cell = cell.strip()
    if not cell or "_" in cell or not cell.isascii():
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _is_label(cell: str) -> bool:
    """Whether a cell names a class; an empty one, NaN or infinity stand for a label that is missing."""
    value = _number(cell)
    return bool(cell) and (value is None or isfinite(value))


def _not_a_number(columns: _Columns, index: int, line: int, column: int, cell: str, options: DataOptions) -> ProblemError:
    """The error for a cell that should hold a number, with the most likely remedy."""
    found = f"{cell.strip()[:60]!r}, which is not a number" if cell.strip() else "empty"
    hint = ""
    if column == columns.target and options.target is None and options.classes is None:
        hint = "; for labels list the classes in data.classes"
    elif index == 0 and not columns.header:
        hint = "; a header is recognized only when none of its cells is a number"
    return ProblemError(f"{columns.what}: row {index} (line {line}), {columns.name(column)} is {found}{hint}")
