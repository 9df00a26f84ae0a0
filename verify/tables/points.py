"""The points of a table: rows of exact numbers, equispaced points on the circle, or a data set."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import sympy

from theorems.arithmetic import BITS, BallArithmetic, as_ball, working_precision
from theorems.input_gram import InputGram, circle, gram_of
from theorems.records import evaluate_expression
from verify import fields
from verify.data import Dataset, load_data
from verify.errors import ProblemError
from verify.fields import unwanted
from verify.options import DataOptions
from verify.tables.keys import canonical, decoded, exact_decimal

MOST_POINTS = 512
_CIRCLE = re.compile(r"circle\(\s*([0-9]{1,4})\s*\)")
_ROOT = re.compile(r"(-?)sqrt\(\s*([0-9./]{1,40})\s*\)")
_WANTED = '"circle(n)", or a list of rows of numbers or roots such as [[1, 0], ["sqrt(1/2)", "-sqrt(1/2)"]]'


def read_points(key: str, value: Any) -> str:
    """The text of points: "circle(n)", or the JSON of rows of exact numbers and roots of rational numbers."""
    if isinstance(value, str) and (found := _CIRCLE.fullmatch(value.strip())):
        if not 1 <= int(found.group(1)) <= MOST_POINTS:
            raise unwanted(key, f'"circle(n)" with n from 1 to {MOST_POINTS}', value)
        return f"circle({int(found.group(1))})"
    rows = fields.entries(key, decoded(key, value, _WANTED), _WANTED, _row)
    if len({len(row) for row in rows}) != 1 or len(rows) > MOST_POINTS:
        raise unwanted(key, f"at most {MOST_POINTS} rows of one length", value)
    return canonical(rows)


def _row(key: str, row: Any) -> tuple[str, ...]:
    return fields.entries(key, row, "a row of numbers", _entry)


def _entry(key: str, value: Any) -> str:
    if isinstance(value, str) and (root := _ROOT.fullmatch(value.strip())):
        inside = exact_decimal(root.group(2))
        if inside is not None:
            return f"{root.group(1)}sqrt({inside})"
    exact = exact_decimal(value) if isinstance(value, str) else None
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        exact = Fraction(value)
    if exact is None:
        raise unwanted(key, 'an exact number, or a root such as "sqrt(1/2)"', value)
    return str(exact)


def geometry(text: str) -> InputGram:
    """The inner products of points in the text of ``read_points``, exact rationals, or balls where there are roots."""
    found = _CIRCLE.fullmatch(text)
    if found:
        return circle(int(found.group(1)))
    rows = [[_number(entry) for entry in row] for row in json.loads(text)]
    if all(x.is_Rational for row in rows for x in row):
        return gram_of(np.array([[Fraction(int(x.p), int(x.q)) for x in row] for row in rows], dtype=object))
    n = len(rows)
    inner = [[sympy.expand(sum(x * y for x, y in zip(a, b, strict=True))) for b in rows] for a in rows]

    def table(entry: Any) -> Any:
        values = np.empty((n, n), dtype=object)
        with working_precision(2 * BITS):
            for i in range(n):
                for j in range(n):
                    values[i, j] = _exact(sympy.expand(entry(i, j)))
        return values

    return InputGram(
        len(rows[0]),
        table(lambda i, j: inner[i][j]),
        table(lambda i, j: inner[i][i] + inner[j][j] - 2 * inner[i][j]),
        table(lambda i, j: inner[i][i] * inner[j][j] - inner[i][j] ** 2),
        lambda indices: int(sympy.Matrix([rows[i] for i in indices]).rank()) if len(indices) else 0,
    )


def _number(text: str) -> sympy.Expr:
    root = _ROOT.fullmatch(text)
    inside = exact_decimal(root.group(2) if root else text)
    assert inside is not None, "the reader lets nothing else pass"
    found = sympy.Rational(inside.numerator, inside.denominator)
    if not root:
        return found
    return -sympy.sqrt(found) if root.group(1) else sympy.sqrt(found)


def _exact(x: sympy.Expr) -> Any:
    """A sum of roots as a ball, exact where it is an integer: no ball stands beside a rational in one geometry."""
    if x.is_Rational:
        return as_ball(Fraction(int(x.p), int(x.q)))
    return as_ball(0) + evaluate_expression(x, {}, BallArithmetic(2 * BITS))


def read_data(key: str, value: Any) -> str:
    """The text of a [data] section of a problem file, every default filled in."""
    table = decoded(key, value, "a table with the keys of a [data] section")
    if not isinstance(table, Mapping) or "source" not in table:
        raise unwanted(key, "a table with the keys of a [data] section, source among them", value)
    return canonical(_echo(_options(key, table, Path())))


def load_points(key: str, text: str, folder: Path) -> Dataset:
    """The data set of the text of ``read_data``; relative paths are relative to ``folder``."""
    return load_data(data_options(key, text, folder))


def data_options(key: str, text: str, folder: Path) -> DataOptions:
    """The [data] section of the text of ``read_data``."""
    return _options(key, json.loads(text), folder)


def _options(key: str, table: Mapping[str, Any], folder: Path) -> DataOptions:
    known = [item.name for item in dataclasses.fields(DataOptions) if item.metadata.get("echoed", True)]
    from theorems.errors import nearest

    for name in table:
        if name not in known:
            raise ProblemError(f"unknown key {key}.{str(name)[:60]}{nearest(str(name), known)}")
    given: dict[str, Any] = {name: float(x) if isinstance(x, Fraction) else x for name, x in table.items()}
    return DataOptions(**given, folder=folder)


def _echo(options: DataOptions) -> dict[str, Any]:
    shown = {}
    for item in dataclasses.fields(options):
        value = getattr(options, item.name)
        if value is not None and item.metadata.get("echoed", True):
            shown[item.name] = list(value) if isinstance(value, tuple) else value
    return shown


def exact_rows(inputs: Any) -> list[list[int | Fraction]]:
    """Points as the rational numbers that the doubles are; integers as integers, which is faster."""
    return [[int(x) if x.is_integer() else Fraction(x) for x in row] for row in inputs.tolist()]
